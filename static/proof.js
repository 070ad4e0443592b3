// The page of a proof: fetches the bundle, or takes one that you saved, and lets proof-worker.js check it.
(() => {
  "use strict";
  const box = document.querySelector("#check");
  if (!box) return;
  const one = (query) => box.querySelector(query);
  const texts = JSON.parse(document.querySelector("#check-texts").textContent);
  const said = one("#check-said"), list = one("#check-list"), bar = one("progress"), button = one("#check-start");
  const words = (name, values = {}) => (texts[name] || name).replace(/\{(\w+)\}/g, (_, key) => {
    const value = values[key];
    if (key === "at" || key === "due") return new Date(1000 * value).toLocaleString(document.documentElement.lang);
    if (key === "reason") return texts[`reason_${value}`] || value;
    return typeof value === "number" && key !== "entry" && key !== "round" ? value.toLocaleString(document.documentElement.lang) : value ?? "";
  });

  if (!window.Worker || !window.crypto?.subtle) {
    said.textContent = texts.unsupported;
    one("form").hidden = true;
    return;
  }
  one("form").hidden = false;
  document.querySelector("#entry:not(:has([role=status]))")?.setAttribute("hidden", ""); // the check answers it better

  const fileOf = async (name) => one(`[name=${name}]`)?.files[0]?.arrayBuffer();
  const receiptOf = async () => {
    const file = await fileOf("receipt_file"), text = file ? new TextDecoder().decode(file) : one("[name=receipt]").value;
    if (!text.trim()) return null;
    return /^\s*\d+\s*$/.test(text) ? Number(text) : JSON.parse(text);
  };
  const line = ({ check, result, values }) => {
    const item = document.createElement("li"), mark = document.createElement("b");
    item.dataset.result = result;
    item.dataset.check = check;
    mark.textContent = texts[result];
    item.append(mark, " ", words(check, values));
    if (values.role) item.append(" ", words(values.role === "winner" ? "won_tier" : "alternate_tier", values));
    list.append(item);
  };
  const end = (look, name) => {
    said.className = `said ${look}`;
    said.textContent = texts[name];
    bar.hidden = true;
    busy = false;
    delete one("form").dataset.sent; // set by the script of all pages, against a second press
    button.removeAttribute("aria-disabled");
  };

  let worker, busy = false;
  one("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    if (busy) return;
    busy = true;
    button.setAttribute("aria-disabled", "true");
    list.replaceChildren();
    said.className = "said";
    said.textContent = texts.running;
    bar.hidden = false;
    bar.removeAttribute("value");
    let receipt, data, root;
    try {
      receipt = await receiptOf();
    } catch {
      return end("fails", "receipt_unreadable");
    }
    try {
      root = await fileOf("root");
      data = await fileOf("bundle");
      if (!data) {
        const answer = await fetch(box.dataset.bundle, { cache: "no-store" });
        if (!answer.ok) throw new Error(answer.status);
        data = await answer.arrayBuffer();
      }
    } catch {
      return end("fails", "not_fetched");
    }
    worker?.terminate();
    worker = new Worker(box.dataset.worker);
    worker.addEventListener("error", () => end("fails", "unreadable"));
    worker.addEventListener("message", ({ data: told }) => {
      if (told.total) bar.value = told.done / told.total;
      else if (told.check) line(told);
      else if (told.end) end(told.end === "holds" ? "holds" : "fails", told.end === "unreadable" ? "unreadable" : `end_${told.end}`);
    });
    worker.postMessage({ data, options: { receipt, root, key: box.dataset.key } }, [data]);
  });
})();
