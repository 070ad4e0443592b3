// Continuous scanning: camera, a scanner that types, or a thumb. What is scanned is kept at once on this device, asked
// about while there is a network, and sent as one document.
"use strict";
(() => {
  const one = (query) => document.querySelector(query);
  const { act, partner, expected, reader, wasm, words } = JSON.parse(one("#settings").textContent);
  const { store, codes } = Portal;
  const form = one("#scan"), to = one("#to"), field = one("#code"), list = one("#rows"), finish = one("#finish");
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
  const count = (n) => n.toLocaleString(document.documentElement.lang);
  const ICONS = { ok: "tick", no: "cross", wait: "copy", asked: "clock" };

  // --- what was scanned: {key, text, shown, kind, look, said, labels, product, condition, asked} ---
  let draft = { key: crypto.randomUUID(), at: Date.now(), to: to?.value ?? "", rows: [] };
  const counted = () => draft.rows.filter((row) => row.look === "ok" || row.look === "asked");
  const packs = (rows) => rows.filter((row) => row.kind !== "label").length;
  const keep = () => store.keepDraft(act, draft).catch(() => { /* private windows keep nothing */ });
  const shipment = () => expected.find((sent) => sent.id === to?.value);
  const wanting = () => {
    const seen = new Set(draft.rows.map((row) => row.key));
    return (shipment()?.lines ?? []).filter((line) => !seen.has(codes.read(line.text)?.key ?? line.text));
  };

  const name = (row) => (row.key.startsWith("00") ? `${words[row.kind] ?? words.case} …${row.shown.slice(-6)}` : row.shown);
  const paint = () => {
    const rows = [...draft.rows].reverse();
    list.replaceChildren(...rows.map((row) => {
      const item = one("#row").content.firstElementChild.cloneNode(true);
      item.className = row.look;
      item.querySelector("use").setAttribute("href", `#i-${ICONS[row.look]}`);
      item.querySelector(".what").textContent = name(row);
      item.querySelector(".what").title = row.shown;
      item.querySelector("small").textContent = row.said;
      const end = item.querySelector(".end");
      end.textContent = row.look === "ok" ? (row.labels ? fill(words.items, { n: count(row.labels) }) : "") : row.look === "wait" ? words.duplicate : row.look === "no" ? words.refused : "";
      if (act === "receive" && row.look === "ok" && row.condition !== "over") { // a narrow screen has no room for both
        item.querySelector("small").textContent = [row.said, end.textContent].filter(Boolean).join(" · ");
        end.replaceChildren(condition(row));
      }
      if (act === "receive" && row.look === "no" && ["not_shipped", "held_by_other"].includes(row.reason)) item.querySelector("small").append(" ", extra(row));
      end.append(remove(row));
      return item;
    }));
    list.hidden = !rows.length;
    one("#none").hidden = rows.length > 0 || !one("#done").hidden;
    const good = counted();
    const labels = good.reduce((sum, row) => sum + (row.labels || (row.kind === "label" ? 1 : 0)), 0);
    one("#count").textContent = count(packs(good) || good.length);
    one("#units").textContent = [packs(good) ? (packs(good) === 1 ? words.pack : words.packs) : "", labels ? fill(words.items, { n: count(labels) }) : ""].filter(Boolean).join(" · ");
    one("#product").textContent = [...new Set(good.map((row) => row.product).filter(Boolean))].slice(0, 2).join(" · ");
    const missing = act === "receive" && shipment() ? wanting().length : 0;
    one("#short").hidden = !missing || !good.length;
    one("#short span").textContent = fill(words.missing, { n: count(missing) });
    finish.disabled = !good.length || !to || (act === "ship" && !to.value);
    finish.querySelector("span").textContent = fill(words.finish, { n: good.length ? `(${count(good.length)})` : "" }).trim();
  };
  const condition = (row) => {
    const choice = document.createElement("select");
    choice.setAttribute("aria-label", name(row));
    for (const [value, text] of [["full", words.full], ["damaged", words.damaged]]) choice.add(new Option(text, value, false, row.condition === value));
    choice.addEventListener("change", () => { row.condition = choice.value; keep(); });
    return choice;
  };
  const extra = (row) => {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "text", textContent: words.extra });
    button.addEventListener("click", () => { row.condition = "over"; row.look = "asked"; row.asked = false; ask(); paint(); });
    return button;
  };
  const remove = (row) => {
    const button = document.createElement("button");
    Object.assign(button, { type: "button", className: "off" });
    button.setAttribute("aria-label", fill(words.remove, { what: name(row) }));
    button.append(one("#row").content.querySelector("svg").cloneNode(true));
    button.querySelector("use").setAttribute("href", "#i-cross");
    button.addEventListener("click", () => { draft.rows = draft.rows.filter((other) => other !== row); keep(); paint(); });
    return button;
  };

  // --- sound, and what is said of the last scan ---
  let loud = localStorage.getItem("portal-sound") !== "off", tones;
  const beep = (good) => {
    navigator.vibrate?.(good ? 40 : [80, 60, 80]);
    if (!loud) return;
    tones ??= new AudioContext();
    const tone = tones.createOscillator(), volume = tones.createGain();
    tone.frequency.value = good ? 880 : 220;
    volume.gain.value = 0.15;
    tone.connect(volume).connect(tones.destination);
    tone.start();
    tone.stop(tones.currentTime + (good ? 0.08 : 0.25));
  };
  const sound = one("#sound");
  const soundSays = () => {
    sound.setAttribute("aria-pressed", String(loud));
    sound.title = loud ? words.on : words.off;
  };
  sound.addEventListener("click", () => {
    loud = !loud;
    localStorage.setItem("portal-sound", loud ? "on" : "off");
    soundSays();
    if (loud) beep(true);
  });
  soundSays();
  const hit = one("#hit");
  const say = (look, text) => {
    hit.hidden = false;
    hit.className = `hit ${look}`;
    hit.textContent = text;
  };

  // --- one scan ---
  const last = { key: "", at: 0 };
  const add = (text, { seen = false } = {}) => {
    const known = codes.read(text);
    const key = known?.key ?? text.trim();
    if (!key) return;
    const before = draft.rows.find((row) => row.key === key);
    if (before) {
      const held = seen && key === last.key && Date.now() - last.at < 2500; // the camera still looks at it
      if (!held) { beep(false); say("wait", `${name(before)} · ${words.twice}`); }
      Object.assign(last, { key, at: Date.now() });
      return;
    }
    Object.assign(last, { key, at: Date.now() });
    one("#done").hidden = true;
    const row = { key, text: text.trim(), shown: known?.shown ?? text.trim().slice(0, 40), kind: known?.kind ?? "", look: "asked", said: known ? "" : words.waiting, labels: 0, product: "", condition: act === "receive" ? "full" : "", asked: false };
    draft.rows.push(row);
    if (navigator.onLine === false) row.said = words.waiting;
    beep(Boolean(known));
    say(known ? "ok" : "wait", fill(words.scanned, { what: name(row) }));
    keep();
    paint();
    ask();
  };

  // --- what would become of it, asked while there is a network ---
  let asking = false;
  const ask = async () => {
    const rows = draft.rows.filter((row) => !row.asked).slice(0, 200);
    if (asking || !rows.length || !to || (act === "ship" && !to.value)) return;
    asking = true;
    const asked = draft.to;
    try {
      const answer = await store.post("/portal/scan", { act, to: act === "receive" ? "" : to.value, lines: rows.map((row) => ({ text: row.text, condition: row.condition })) });
      if (!answer.ok || asked !== draft.to) return;
      answer.lines.forEach((line, at) => {
        const row = rows[at];
        Object.assign(row, { asked: true, look: line.look, said: line.said, reason: line.reason, labels: line.labels, product: line.product, kind: line.kind || row.kind });
        if (line.look !== "ok") { beep(false); say(line.look, `${name(row)} · ${line.said}`); }
        else if (row === draft.rows.at(-1)) say("ok", [fill(words.scanned, { what: name(row) }), row.labels ? fill(words.items, { n: count(row.labels) }) : ""].filter(Boolean).join(" · "));
      });
      keep();
    } catch {
      for (const row of rows) row.said ||= words.waiting;
    } finally {
      asking = false;
      paint();
    }
    if (draft.rows.some((row) => !row.asked) && navigator.onLine) setTimeout(ask, 300);
  };
  addEventListener("online", ask);
  to?.addEventListener("change", () => {
    draft.to = to.value;
    for (const row of draft.rows) Object.assign(row, { asked: false, look: "asked", said: "" });
    keep();
    paint();
    ask();
  });

  // --- doors: the field, a scanner that types anywhere, the camera ---
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value;
    field.value = "";
    if (text.trim()) add(text);
    field.focus();
  });
  let typed = "", typedAt = 0;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey && event.key === "]" && event.target === field) { // the separator GS, as scanners type it
      event.preventDefault();
      field.value += "\u241d";
    }
    if (event.target.closest("input, select, textarea, button, a") || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = performance.now();
    if (at - typedAt > 100) typed = "";
    typedAt = at;
    if (event.key === "Enter" && typed.length > 5) { event.preventDefault(); add(typed); typed = ""; }
    else if (event.key.length === 1) typed += event.key;
  });

  const cam = one("#cam"), video = one("#video"), camera = one("#camera");
  let stream;
  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = undefined;
    cam.hidden = true;
    camera.setAttribute("aria-pressed", "false");
  };
  const start = async () => {
    say("wait", words.loading);
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
      video.srcObject = stream;
      cam.hidden = false;
      camera.setAttribute("aria-pressed", "true");
      await video.play();
      const detect = await Camera.detector(reader, wasm);
      hit.hidden = true;
      const mine = stream;
      while (stream === mine) {
        for (const text of await detect(video)) add(text, { seen: true });
        await new Promise((resolve) => setTimeout(resolve, 120));
      }
    } catch {
      stop();
      say("no", words.camera);
    }
  };
  camera.addEventListener("click", () => (stream ? stop() : start()));
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && stop());

  // --- the end of it ---
  const reset = () => {
    draft = { key: crypto.randomUUID(), at: Date.now(), to: to?.value ?? "", rows: [] };
    one("#rest").checked = false;
    paint();
  };
  const tell = (answer) => {
    const box = one("#done");
    const title = Object.assign(document.createElement("h2"), { textContent: answer?.said ?? words.kept });
    const lines = (answer?.lines ?? []).slice(0, 50).map((line) => Object.assign(document.createElement("p"), { textContent: `${line.shown}: ${line.said}` }));
    box.replaceChildren(title, ...lines);
    if (answer) box.append(Object.assign(document.createElement("a"), { href: answer.url, className: "btn", textContent: box.dataset.open }));
    box.className = `card soft ${answer ? (answer.rejected ? "wait" : "ok") : "wait"}`;
    box.hidden = false;
    one("#none").hidden = true;
    box.focus();
  };
  let sent = "";
  document.addEventListener("portal:sent", (event) => event.detail.key === sent && tell(event.detail.answer));
  finish.addEventListener("click", async () => {
    const rows = counted();
    if (finish.disabled || !rows.length) return;
    finish.disabled = true;
    stop();
    const lines = rows.map((row) => ({ text: row.text, condition: row.condition }));
    const rest = one("#rest").checked ? wanting().map((line) => ({ text: line.text, condition: "short" })) : [];
    const place = act === "receive" ? { shipment: to.value } : { to: to.value };
    const title = `${document.querySelector("main h1").textContent}${to.selectedOptions[0] ? ` · ${to.selectedOptions[0].textContent}` : ""} · ${count(rows.length)}`;
    const item = { key: draft.key, at: Date.now(), title, body: { act, ...place, happened_at: new Date().toISOString(), lines: [...lines, ...rest] } };
    sent = draft.key;
    await store.finish(act, item);
    reset();
    tell();
    hit.hidden = true;
    await store.send();
    document.dispatchEvent(new CustomEvent("portal:queue"));
    const refused = (await store.queue()).find((waiting) => waiting.key === item.key)?.refused;
    if (refused) tell({ said: refused, rejected: 1, url: "/portal/documents", lines: [] });
  });

  store.draft(act).then((kept) => {
    if (kept?.rows.length) {
      draft = { key: kept.key, at: kept.at, to: kept.to, rows: kept.rows };
      if (to && [...to.options].some((option) => option.value === kept.to)) to.value = kept.to;
      draft.to = to?.value ?? "";
    }
    paint();
    ask();
  }, paint);
  if (matchMedia("(pointer: fine)").matches) field.focus();
})();
