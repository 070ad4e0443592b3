// /dev/phone: two telephones and their carrier. Every request goes to the same webhook, with the same signature, as from
// a real carrier; the server only signs. Nothing is shown as done that the webhook did not answer.
"use strict";
(() => {
  const own = JSON.parse(document.getElementById("own").textContent);
  const words = own.words;
  // From the cookie, which a sign-in in another tab renews.
  const token = () => document.cookie.match(/(?:^|; )(?:__Host-)?csrf=([^;]+)/)?.[1] ?? document.querySelector('meta[name="csrf"]').content;
  const $ = (root, name) => root.querySelector(`[data-${name}]`);
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));
  const hex = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const make = (name, look = "", text = "") => Object.assign(document.createElement(name), { className: look, textContent: text });
  const LATE_MS = 4000, STEP_MS = 400;

  const ask = async (path, body) => {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json", "X-CSRFToken": token() }, body: JSON.stringify(body) });
    return answer.ok ? answer.json() : null;
  };

  // --- the carrier: signs, posts, keeps a trace ------------------------------------------------------------------------
  const send = async (path, fields, kind, reused = null) => {
    const sent = { AccountSid: own.account, ApiVersion: "2010-04-01", ...fields };
    const signed = reused ?? (await ask("/dev/phone/sign", { path, fields: sent })) ?? { url: path, signature: "" };
    const started = performance.now();
    let status = 0, body = "";
    try {
      const answer = await fetch(path, { method: "POST", headers: signed.signature ? { "X-Twilio-Signature": signed.signature } : {}, body: new URLSearchParams(sent), credentials: "omit" });
      status = answer.status;
      body = await answer.text();
    } catch { /* status 0 says it */ }
    const exchange = { path, fields: sent, kind, signed, status, body, ms: performance.now() - started };
    note(exchange);
    return exchange;
  };

  const trace = document.querySelector("[data-trace]");
  const note = (exchange) => {
    document.querySelector("[data-no-trace]").hidden = true;
    const item = make("li"), box = make("details"), head = make("summary"), inside = make("div", "inside");
    head.append(make("time", "", new Date().toTimeString().slice(0, 8)), make("b", "", exchange.kind), make("span", `code ${exchange.status === 200 ? "" : "no"}`, String(exchange.status)), make("span", "ms", `${exchange.ms.toFixed(0)} ms`));
    const part = (name, text) => inside.append(make("h3", "", name), Object.assign(make("pre", "", text), { tabIndex: 0 }));
    part("POST", exchange.signed.url);
    part(words.fields, Object.entries(exchange.fields).map(([name, value]) => `${name}=${value}`).join("\n"));
    part("X-Twilio-Signature", exchange.signed.signature || words.nothing);
    part(words.answer, exchange.body || words.nothing);
    const acts = make("div", "acts"), said = make("span", "dim small");
    said.setAttribute("role", "status");
    const button = (name, act) => { const made = make("button", "", name); made.type = "button"; made.addEventListener("click", act); acts.append(made); };
    const again = async (signed, name) => {
      const answer = await send(exchange.path, exchange.fields, `${exchange.kind} · ${name}`, signed);
      said.textContent = answer.status === exchange.status && answer.body === exchange.body ? words.same : `${words.other}: ${answer.status}`;
    };
    button(words.replay, () => again(exchange.signed, words.replay));
    button(words.unsigned, () => again({ url: exchange.signed.url, signature: "" }, words.unsigned));
    button(words.curl, async () => { await navigator.clipboard?.writeText(curl(exchange)); said.textContent = words.copied; });
    acts.append(said);
    inside.append(acts);
    box.append(head, inside);
    item.append(box);
    trace.prepend(item);
    while (trace.children.length > 60) trace.lastChild.remove();
  };
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const curl = (exchange) => [`curl ${quoted(exchange.signed.url)}`, `-H ${quoted(`X-Twilio-Signature: ${exchange.signed.signature}`)}`, ...Object.entries(exchange.fields).map(([name, value]) => `--data-urlencode ${quoted(`${name}=${value}`)}`)].join(" \\\n  ");
  document.querySelector("[data-clear]").addEventListener("click", () => { trace.replaceChildren(); document.querySelector("[data-no-trace]").hidden = false; });

  const parse = (text) => [...(new DOMParser().parseFromString(text, "text/xml").documentElement?.children ?? [])];

  // --- how long a message is (as sms_gateway/segments.py counts) -----------------------------------------------------
  const BASIC = new Set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"), MORE = new Set("\f^{}\\[~]|€");
  const partsOf = (text) => {
    const letters = [...text], gsm = letters.every((letter) => BASIC.has(letter) || MORE.has(letter));
    const sizes = letters.map((letter) => (gsm ? (MORE.has(letter) ? 2 : 1) : letter.length));
    const units = sizes.reduce((sum, size) => sum + size, 0), [single, each] = gsm ? [160, 153] : [70, 67];
    let count = 1, room = each;
    if (units > single) sizes.forEach((size) => { if (size > room) { count += 1; room = each; } room -= size; });
    return { encoding: gsm ? "GSM-7" : "UCS-2", units, parts: units ? count : 0 };
  };
  const about = ({ encoding, units, parts }) => `${encoding} · ${units} · ${parts} ${parts === 1 ? words.part : words.parts}`;

  // --- a telephone -----------------------------------------------------------------------------------------------------
  class Phone {
    constructor(root) {
      this.root = root;
      this.number = $(root, "number").value;
      this.fault = "";
      this.kept = [];
      this.shown = "";
      this.call = null;
      this.sent = this.remembered();
      $(root, "compose").addEventListener("submit", (event) => { event.preventDefault(); this.text($(root, "body").value); });
      $(root, "body").addEventListener("input", () => this.count());
      $(root, "body").addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); this.text($(root, "body").value); } });
      root.querySelectorAll("[data-say]").forEach((chip) => chip.addEventListener("click", () => this.text(chip.dataset.say)));
      root.querySelectorAll("[data-word]").forEach((chip) => chip.addEventListener("click", () => this.type(chip.dataset.word + $(root, "body").value)));
      $(root, "code").addEventListener("click", async () => { const code = await this.label(); if (code) this.type($(root, "body").value + code); });
      $(root, "number").addEventListener("change", () => { this.number = $(root, "number").value.trim(); $(root, "own").textContent = this.number; this.sent = this.remembered(); this.misbehave(); poll(); });
      $(root, "fault").addEventListener("change", () => this.misbehave());
      root.querySelectorAll("[data-tab]").forEach((tab) => {
        tab.addEventListener("click", () => this.show(tab.dataset.tab));
        tab.addEventListener("keydown", (event) => { if (event.key === "ArrowLeft" || event.key === "ArrowRight") { const other = tab.dataset.tab === "text" ? "call" : "text"; this.show(other); root.querySelector(`[data-tab="${other}"]`).focus(); } });
      });
      root.querySelectorAll("[data-key]").forEach((key) => key.addEventListener("click", () => this.press(key.dataset.key)));
      $(root, "pad").addEventListener("keydown", (event) => { if (/^[0-9*#]$/.test(event.key)) this.press(event.key); });
      $(root, "dial").addEventListener("click", () => this.dial());
      $(root, "hang").addEventListener("click", () => this.call?.hangUp());
      $(root, "key-code").addEventListener("click", async () => { const code = await this.label(); for (const key of code ?? "") { this.press(key); await pause(40); } });
      this.draw();
    }

    get line() { return $(this.root, "line").value; }
    show(name) {
      this.root.querySelectorAll("[data-tab]").forEach((tab) => { const on = tab.dataset.tab === name; tab.setAttribute("aria-selected", on); tab.tabIndex = on ? 0 : -1; });
      this.root.querySelector(".texts").hidden = name !== "text";
      this.root.querySelector(".call").hidden = name !== "call";
      $(this.root, "twiml-box").hidden = name !== "call" || !$(this.root, "twiml").hasChildNodes();
    }
    remembered() { try { return JSON.parse(sessionStorage.getItem(`sent:${this.number}`)) ?? []; } catch { return []; } }
    remember() { sessionStorage.setItem(`sent:${this.number}`, JSON.stringify(this.sent.slice(-40))); }
    type(text) { const body = $(this.root, "body"); body.value = text; body.focus(); this.count(); }
    count() { $(this.root, "count").textContent = about(partsOf($(this.root, "body").value)); }
    async misbehave() { this.fault = $(this.root, "fault").value; await ask("/dev/phone/fault", { phone: this.number, fault: this.fault }); }
    async label() {
      const found = await ask(own.labels, {});
      if (!found) this.event(words.no_label);
      return found?.secret ?? null;
    }
    event(text) { $(this.root, "state").textContent = text; $(this.root, "count").textContent = text; }

    // --- messages
    async text(body) {
      if (!body.trim()) return;
      this.type("");
      const message = { id: `SM${hex()}`, body, at: new Date().toISOString(), state: words.sending, look: "" };
      this.sent.push(message);
      this.draw();
      const fields = { MessageSid: message.id, SmsSid: message.id, From: this.number, To: this.line, Body: body };
      if (this.fault === "late") await pause(LATE_MS);
      const first = await send("/webhooks/simulator/sms", fields, `SMS → ${this.line}`);
      message.look = first.status === 200 ? "ok" : "no";
      message.state = first.status === 200 ? words.accepted : `${words.refused}: ${first.status}`;
      if (this.fault === "twice") {
        const second = await send("/webhooks/simulator/sms", fields, `SMS → ${this.line}`, first.signed);
        message.state = second.body === first.body ? words.twice : words.twice_other;
      }
      this.remember();
      this.draw();
      await poll();
      if (first.status === 200) for (const reply of parse(first.body)) await this.report(reply.getAttribute("statusCallback"), partsOf(reply.textContent).parts);
    }

    // Report the delivery of a message that came with the answer, the way this telephone behaves.
    async report(callback, parts) {
      if (!callback) return;
      const url = new URL(callback), sid = `SM${hex()}`;
      if (this.fault === "late") await pause(LATE_MS);
      const states = { fail: ["sent", "undelivered"], reject: ["failed"], twice: ["sent", "sent", "delivered", "delivered"], out_of_order: ["delivered", "sent", "queued"] }[this.fault] ?? ["sent", "delivered"];
      for (const status of states) {
        await pause(STEP_MS);
        const more = status === "undelivered" || status === "failed" ? { ErrorCode: "30003" } : {};
        await send(url.pathname + url.search, { MessageSid: sid, MessageStatus: status, From: this.line, To: this.number, NumSegments: String(parts), ...more }, `status: ${status}`);
        await poll();
      }
    }

    draw() {
      const all = [...this.sent.map((one) => ({ ...one, out: true })), ...this.kept].sort((a, b) => (a.at < b.at ? -1 : 1));
      const now = JSON.stringify(all);
      if (now === this.shown) return;
      this.shown = now;
      const list = $(this.root, "bubbles");
      list.replaceChildren(...all.map((one) => this.bubble(one)));
      $(this.root, "empty").hidden = all.length > 0;
      list.parentElement.scrollTop = list.parentElement.scrollHeight;
    }
    bubble(one) {
      const held = !one.out && one.rank === 0;
      const item = make("li", `bubble ${one.out ? "out" : "in"} ${one.look === "no" ? "bad" : ""} ${held ? "held" : ""}`);
      item.append(make("p", "said", one.body));
      const line = make("p", "about");
      line.append(make("span", "", new Date(one.at).toTimeString().slice(0, 5)), make("span", "", about(one.out ? partsOf(one.body) : one)));
      if (one.out) line.append(make("span", `ticks ${one.look}`, { ok: "✓", no: "✗" }[one.look] ?? "…"), make("span", "", one.state));
      else line.append(make("span", `ticks ${one.rank === 4 ? "ok" : one.rank === 3 ? "no" : ""}`, { 0: "◌", 1: "…", 2: "✓", 3: "✗", 4: "✓✓" }[one.rank]), make("span", "", one.state_label), ...(one.purpose === "reply" ? [] : [make("span", "", one.purpose_label)]));
      item.append(line);
      return item;
    }

    // --- calls
    press(key) { this.call ? this.call.press(key) : this.dial(); }
    async dial() {
      if (this.call) return;
      this.call = new Call(this);
      await this.call.start();
    }
  }

  class Call {
    constructor(phone) {
      this.phone = phone;
      this.root = phone.root;
      this.id = `CA${hex()}`;
      this.from = $(this.root, "withheld").checked ? "anonymous" : phone.number;
      this.to = phone.line;
      this.over = false;
      this.gather = null;
      this.keys = "";
      this.started = Date.now();
      $(this.root, "heard").replaceChildren();
      $(this.root, "dial").hidden = true;
      $(this.root, "hang").hidden = false;
      this.state(words.ringing);
      this.clock = setInterval(() => { const s = Math.floor((Date.now() - this.started) / 1000); $(this.root, "timer").textContent = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`; }, 500);
    }
    get aloud() { return $(this.root, "aloud").checked && "speechSynthesis" in window; }
    state(text) { $(this.root, "state").textContent = text; }
    line(text, look, language = "") {
      const item = make("li", look, text), list = $(this.root, "heard");
      if (language) item.lang = language;
      list.querySelectorAll(".now").forEach((one) => one.classList.remove("now"));
      list.append(item);
      list.parentElement.scrollTop = list.parentElement.scrollHeight;
      return item;
    }

    start() { return this.go("/webhooks/simulator/voice", {}, "call"); }
    async go(path, fields, kind) {
      for (let turn = 0; turn < 20 && !this.over; turn += 1) {
        const sent = { CallSid: this.id, From: this.from, To: this.to, CallStatus: kind === "call" ? "ringing" : "in-progress", Direction: "inbound", ...fields };
        const answer = await send(path, sent, kind);
        if (answer.status !== 200) { this.line(`${words.failed} ${answer.status}`, "event"); return this.end(); }
        this.state(words.talking);
        const next = await this.play(answer.body);
        if (next === null) return undefined;
        [path, fields, kind] = [next, {}, "redirect"];
      }
      return undefined;
    }

    // Carry out the verbs in order; return where a Redirect leads, or null.
    async play(text) {
      const verbs = parse(text);
      this.listing(text);
      for (const verb of verbs) {
        if (this.over) return null;
        this.mark(verb);
        if (verb.tagName === "Gather") { await this.asked(verb); return null; }
        if (verb.tagName === "Redirect") return this.address(verb.textContent);
        if (verb.tagName === "Dial") { this.line(`${words.connected} ${verb.textContent.trim()}`, "event"); return null; }
        if (verb.tagName === "Hangup") { this.end(); return null; }
        await this.speak(verb);
      }
      this.end();
      return null;
    }
    address(text) { const url = new URL(text, new URL("/webhooks/simulator/voice", location.href)); return url.pathname + url.search; }

    async speak(verb) {
      if (verb.tagName === "Pause") return this.wait(Number(verb.getAttribute("length") ?? 1) * (this.aloud ? 1000 : 60));
      if (verb.tagName === "Play") {
        this.line(`♪ ${verb.textContent.trim()}`, "now");
        const sound = new Audio(this.address(verb.textContent.trim()));
        this.sound = sound;
        if (!this.aloud) return this.wait(120);
        return new Promise((done) => { sound.onended = sound.onerror = this.hush = done; sound.play().catch(done); });
      }
      if (verb.tagName !== "Say") return undefined;
      const language = verb.getAttribute("language") ?? "";
      this.line(verb.textContent, "now", language);
      if (!this.aloud) return this.wait(120);
      return new Promise((done) => {
        const voice = Object.assign(new SpeechSynthesisUtterance(verb.textContent), { lang: language, onend: done, onerror: done });
        this.hush = () => { speechSynthesis.cancel(); done(); };
        speechSynthesis.speak(voice);
      });
    }
    wait(ms) { return new Promise((done) => { this.hush = done; setTimeout(done, ms); }); }

    // Speak the prompts, which any key ends; then wait for keys until time is up.
    async asked(verb) {
      this.keys = "";
      this.gather = { finish: verb.getAttribute("finishOnKey") ?? "#", most: Number(verb.getAttribute("numDigits") ?? 0), limit: Number(verb.getAttribute("timeout") ?? 5) * 1000, action: this.address(verb.getAttribute("action")) };
      $(this.root, "wait").hidden = false;
      $(this.root, "keys").textContent = words.press;
      for (const prompt of verb.children) {
        if (this.over || !this.gather || this.keys) break;
        this.mark(prompt);
        await this.speak(prompt);
      }
      this.mark(verb);
      if (!this.over && this.gather) this.count();
    }
    count() {
      clearInterval(this.ticking);
      const gather = this.gather, until = performance.now() + gather.limit, left = $(this.root, "left");
      this.ticking = setInterval(() => {
        const rest = until - performance.now();
        left.value = Math.max(0, rest / gather.limit);
        if (rest <= 0) this.done();
      }, 100);
    }
    press(key) {
      if (!this.gather || this.over) return;
      this.hush?.();
      if (key === this.gather.finish) { this.done(); return; }
      this.keys += key;
      $(this.root, "keys").textContent = this.keys;
      this.count();
      if (this.gather.most && this.keys.length >= this.gather.most) this.done();
    }
    async done() {
      clearInterval(this.ticking);
      const { action } = this.gather, keys = this.keys;
      this.gather = null;
      this.keys = "";
      $(this.root, "wait").hidden = true;
      this.line(keys || words.silence, keys ? "keyed" : "event");
      await this.go(action, { Digits: keys }, `keys ${keys || "–"}`);
    }

    async hangUp() { this.end(); }
    async end() {
      if (this.over) return;
      this.over = true;
      this.hush?.();
      this.sound?.pause();
      clearInterval(this.clock);
      clearInterval(this.ticking);
      $(this.root, "wait").hidden = true;
      $(this.root, "dial").hidden = false;
      $(this.root, "hang").hidden = true;
      this.state(words.ended);
      this.mark(null);
      this.phone.call = null;
      const seconds = String(Math.ceil((Date.now() - this.started) / 1000));
      await send("/webhooks/simulator/status", { CallSid: this.id, From: this.from, To: this.to, CallStatus: "completed", CallDuration: seconds }, "status: completed");
      await poll();
    }

    // The document with one line for each verb; the one that is carried out is marked.
    listing(text) {
      const root = new DOMParser().parseFromString(text, "text/xml").documentElement, lines = [];
      const open = (element) => new XMLSerializer().serializeToString(element.cloneNode(false)).replace(/\/>$/, ">").replace(/<\/[^>]*>$/, "");
      const walk = (element, depth) => {
        const inner = [...element.children];
        const row = make("span", "", `${"  ".repeat(depth)}${open(element)}${inner.length ? "" : `${element.textContent}</${element.tagName}>`}\n`);
        lines.push(row);
        this.rows.set(this.pathOf(element), row);
        inner.forEach((child) => walk(child, depth + 1));
        if (inner.length) lines.push(make("span", "", `${"  ".repeat(depth)}</${element.tagName}>\n`));
      };
      this.rows = new Map();
      walk(root, 0);
      $(this.root, "twiml").replaceChildren(...lines);
      $(this.root, "twiml-box").hidden = this.root.querySelector(".call").hidden;
    }
    pathOf(element) { return element.parentElement ? `${this.pathOf(element.parentElement)}/${[...element.parentElement.children].indexOf(element)}` : ""; }
    mark(verb) {
      this.rows?.forEach((row) => row.classList.remove("active"));
      const row = verb && this.rows?.get(this.pathOf(verb));
      row?.classList.add("active");
      row?.parentElement && (row.parentElement.scrollTop = row.offsetTop - row.parentElement.offsetTop);
    }
  }

  // --- both ------------------------------------------------------------------------------------------------------------
  const phones = [...document.querySelectorAll("[data-phone]")].map((root) => new Phone(root));
  const poll = async () => {
    const found = await ask("/dev/phone/messages", { phones: phones.map((phone) => phone.number) }).catch(() => null);
    if (!found) return;
    phones.forEach((phone) => {
      phone.kept = found.messages.filter((one) => one.to === phone.number).map((one) => ({ ...one, at: one.created_at }));
      phone.draw();
    });
  };
  document.querySelectorAll("[data-show]").forEach((button) => button.addEventListener("click", () => {
    document.querySelectorAll("[data-show]").forEach((one) => one.setAttribute("aria-pressed", one === button));
    document.querySelectorAll("[data-phone]").forEach((unit) => unit.toggleAttribute("data-behind", unit.dataset.phone !== button.dataset.show));
  }));
  const clock = () => document.querySelectorAll("[data-clock]").forEach((one) => { one.textContent = new Date().toTimeString().slice(0, 5); });
  clock();
  setInterval(clock, 10000);
  setInterval(() => document.hidden || poll(), 2000);
  poll();
})();
