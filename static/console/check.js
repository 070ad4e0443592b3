// A check in a shop: camera, place by a tap, and a form that keeps what was typed until the server has it. Without this
// script the form is sent as any other.
"use strict";
(() => {
  const one = (query) => document.querySelector(query);
  const form = one("#check");
  if (!form) return;
  const { case: file, reader, wasm, words } = JSON.parse(one("#settings").textContent);
  const place = `check-${file}`;
  const field = (name) => form.elements.namedItem(name);
  const TYPED = ["uuid", "label", "shop", "invoice", "price", "note", "lat", "lon", "accuracy_m"];
  const told = one("#told");
  const say = (text, look = "wait") => {
    told.hidden = !text;
    told.className = `note ${look}`;
    told.textContent = text;
  };

  // --- what was typed stays on this telephone, under one uuid, until it is sent ---
  const keep = () => {
    try { localStorage.setItem(place, JSON.stringify(Object.fromEntries(TYPED.map((name) => [name, field(name).value])))); } catch { /* private windows keep nothing */ }
  };
  const forget = () => { try { localStorage.removeItem(place); } catch { /* likewise */ } };
  if (!form.querySelector(".err, .errors")) {
    try {
      const kept = JSON.parse(localStorage.getItem(place) ?? "null");
      if (kept) {
        for (const name of TYPED) field(name).value = kept[name] ?? field(name).value;
        if (kept.label || kept.shop) say(words.restored);
      }
    } catch { forget(); }
  }
  form.addEventListener("input", keep);

  let sending = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (sending) return;
    sending = true;
    keep();
    say(words.sending);
    try {
      const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
      const said = await answer.json();
      if (said.go) { forget(); location.assign(said.go); return; }
      if (answer.status === 409) { field("uuid").value = crypto.randomUUID(); keep(); } // what changed is a check of its own
      say(Object.values(said.errors ?? {}).flat().join(" ") || words.kept, "no");
      field(Object.keys(said.errors ?? {}).find((name) => field(name)) ?? "label").focus();
    } catch {
      say(words.kept, "no");
    }
    sending = false;
  });

  // --- a camera gives one photograph at a time: each is put to those before ---
  const pictures = field("pictures"), none = one("#none");
  let shots = [];
  const put = (files) => {
    const all = new DataTransfer();
    shots = files;
    for (const file of shots) all.items.add(file);
    pictures.files = all.files;
    none.hidden = !shots.length;
  };
  pictures.addEventListener("change", () => put([...shots, ...pictures.files]));
  none.addEventListener("click", () => put([]));

  // --- the place, only by a tap ---
  if (navigator.geolocation) {
    one("#spot").hidden = false;
    one("#place").addEventListener("click", () => navigator.geolocation.getCurrentPosition(({ coords }) => {
      field("lat").value = coords.latitude.toFixed(6);
      field("lon").value = coords.longitude.toFixed(6);
      field("accuracy_m").value = Math.round(coords.accuracy);
      one("#placed").textContent = words.place.replace("{n}", Math.round(coords.accuracy).toLocaleString(document.documentElement.lang));
      keep();
    }, () => { one("#placed").textContent = words.no_place; }, { enableHighAccuracy: true, timeout: 20000, maximumAge: 60000 }));
  }

  // --- the camera ---
  const cam = one("#cam"), video = one("#video"), button = one("#camera");
  let stream;
  const stop = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = undefined;
    cam.hidden = true;
  };
  const start = async () => {
    say(words.loading);
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } } });
      video.srcObject = stream;
      cam.hidden = false;
      await video.play();
      const detect = await Camera.detector(reader, wasm);
      say("");
      const mine = stream;
      while (stream === mine) {
        const [text] = await detect(video);
        if (text) {
          field("label").value = text;
          navigator.vibrate?.(40);
          say(words.scanned, "ok");
          keep();
          stop();
          field("shop").focus();
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, 120));
      }
    } catch {
      stop();
      say(words.camera, "no");
    }
  };
  if (navigator.mediaDevices?.getUserMedia) {
    button.hidden = false;
    button.addEventListener("click", () => (stream ? stop() : start()));
  }
  document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && stop());
})();
