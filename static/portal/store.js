// What waits on this device: drafts (scanned, not finished) and the queue (finished, not sent). Each document has a key
// of its own from its first scan on, under which the server records it once, however often it is sent.
"use strict";
window.Portal ??= {};
Portal.store = (() => {
  const partner = document.body.dataset.partner ?? "";
  let opened;
  const open = () => (opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open("portal", 1);
    asked.onupgradeneeded = () => {
      asked.result.createObjectStore("drafts", { keyPath: "id" });
      asked.result.createObjectStore("queue", { keyPath: "key" });
    };
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  }));
  const settled = (change) => new Promise((resolve, reject) => {
    change.oncomplete = resolve;
    change.onerror = change.onabort = () => reject(change.error);
  });
  const value = (asked) => new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
  const put = async (name, thing) => {
    const change = (await open()).transaction(name, "readwrite");
    change.objectStore(name).put(thing);
    await settled(change);
  };

  const draft = async (act) => value((await open()).transaction("drafts").objectStore("drafts").get(`${partner}/${act}`));
  const keepDraft = (act, thing) => put("drafts", { ...thing, id: `${partner}/${act}` });
  const dropDraft = async (act) => {
    const change = (await open()).transaction("drafts", "readwrite");
    change.objectStore("drafts").delete(`${partner}/${act}`);
    await settled(change);
  };

  /** Move a finished draft into the queue: both or neither, whatever ends the page. */
  const finish = async (act, item) => {
    const change = (await open()).transaction(["drafts", "queue"], "readwrite");
    change.objectStore("queue").put({ ...item, partner, refused: "" });
    change.objectStore("drafts").delete(`${partner}/${act}`);
    await settled(change);
  };
  const queue = async () => {
    const all = await value((await open()).transaction("queue").objectStore("queue").getAll());
    return all.filter((item) => item.partner === partner).sort((a, b) => a.at - b.at);
  };
  const drop = async (key) => {
    const change = (await open()).transaction("queue", "readwrite");
    change.objectStore("queue").delete(key);
    await settled(change);
  };

  // A page from the device's own store may be older than the sign-in: ask for a token before sending.
  let token;
  const csrf = async () => {
    if (token) return token;
    const answer = await fetch("/portal/session", { headers: { Accept: "application/json" } });
    if (answer.status === 401) throw Object.assign(new Error("signed out"), { go: (await answer.json()).go });
    const told = await answer.json();
    if (!answer.ok || told.partner !== partner) throw new Error("another partner");
    return (token = told.csrf);
  };
  const postOnce = async (url, body, key) => {
    const headers = { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": await csrf() };
    if (key) headers["Idempotency-Key"] = key;
    const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
    const told = (answer.headers.get("Content-Type") ?? "").includes("json") ? await answer.json() : {};
    if (answer.status === 401 || answer.status === 403) token = undefined;
    return { status: answer.status, ok: answer.ok, ...told };
  };
  /** Post as JSON; once more, with a new token, where a sign-in in another window has replaced the one held here. */
  const post = async (url, body, key = "") => {
    const answer = await postOnce(url, body, key);
    return answer.code === "stale_token" ? postOnce(url, body, key) : answer;
  };

  const sendAll = async () => {
    for (const item of await queue()) {
      if (item.refused) continue;
      const answer = await post("/portal/documents", item.body, item.key);
      if (answer.ok) {
        await drop(item.key);
        document.dispatchEvent(new CustomEvent("portal:sent", { detail: { key: item.key, answer } }));
      } else if (answer.status >= 400 && answer.status < 500 && ![401, 403, 408, 425, 429].includes(answer.status)) {
        await put("queue", { ...item, refused: answer.said || String(answer.status) });
      } else {
        return; // sign in first, or try again later
      }
    }
  };
  /** Send what waits, oldest first; one page of this device at a time. Never throws: what is not sent stays. */
  const send = async () => {
    if (!partner || !(await queue()).some((item) => !item.refused)) return;
    try {
      if (navigator.locks) await navigator.locks.request("portal-send", sendAll);
      else await sendAll();
    } catch (error) {
      if (error.go) document.dispatchEvent(new CustomEvent("portal:signed-out", { detail: error.go }));
    } finally {
      document.dispatchEvent(new CustomEvent("portal:queue"));
    }
  };
  return { partner, draft, keepDraft, dropDraft, finish, queue, drop, post, send };
})();
