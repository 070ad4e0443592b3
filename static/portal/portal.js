// What every page of the portal adds in the browser: the invitation behind the #, the queue's pill and list, copies of
// the scan pages for when there is no network, and sending once there is one again.
"use strict";
(() => {
  const PAGES = "portal-pages", WHEN = 3_600_000;
  const WITHOUT_NETWORK = ["/portal/", "/portal/ship", "/portal/receive", "/portal/return", "/portal/documents"];
  const one = (query) => document.querySelector(query);

  const invitation = one("#invitation");
  const secret = location.hash.slice(1);
  if (invitation && secret) {
    history.replaceState(null, "", location.pathname); // it stays out of the address and of what is kept of it
    invitation.querySelector("[name=token]").value = secret;
    invitation.requestSubmit();
  }
  one(".field.bad :is(input, select)")?.focus();

  const sent = one("[data-most-bytes]");
  sent?.addEventListener("change", () => {
    const sizes = [...sent.files].map((file) => file.size), { mostBytes, mostTogether, mostFiles, tooMuch } = sent.dataset;
    const together = sizes.reduce((sum, size) => sum + size, 0);
    const fits = sizes.length <= mostFiles && Math.max(0, ...sizes) <= mostBytes && together <= mostTogether;
    sent.setCustomValidity(fits ? "" : tooMuch);
    sent.reportValidity();
  });

  const store = Portal.store;
  if (!store.partner) {
    if (location.pathname === "/portal/sign-in") self.caches?.delete(PAGES); // nobody finds the last one's pages
    return;
  }

  // Pages and files that scanning needs without a network. The worker answers from here when there is none.
  const files = () => [...document.scripts].map((script) => script.src).filter((src) => src.startsWith(location.origin));
  const prepare = async () => {
    await navigator.serviceWorker.register("/portal/sw.js", { scope: "/portal/" });
    const pages = await caches.open(PAGES);
    const kept = await pages.match("/portal/ship", { ignoreVary: true });
    const fresh = kept?.headers.get("Date") && Date.now() - Date.parse(kept.headers.get("Date")) < WHEN;
    const wanted = fresh && one(`[data-partner="${store.partner}"]`) ? [] : WITHOUT_NETWORK;
    await Promise.allSettled(wanted.map(async (path) => {
      const answer = await fetch(path);
      if (!answer.ok || answer.redirected) return;
      const text = await answer.clone().text();
      await pages.put(path, answer);
      const scripts = [...text.matchAll(/<script[^>]* src="([^"]+)"/g)].map((found) => found[1]);
      const cached = await caches.open("portal-files");
      await Promise.allSettled(scripts.map((src) => cached.add(src)));
    }));
    const cached = await caches.open("portal-files");
    await Promise.allSettled(files().map(async (src) => (await cached.match(src)) ?? cached.add(src)));
    document.documentElement.dataset.offline = "ready";
  };
  if (navigator.serviceWorker && self.caches) prepare().catch(() => { /* private windows: works with a network alone */ });

  const pill = one("#pill");
  const list = one("#waiting");
  const show = async () => {
    const waiting = await store.queue();
    document.documentElement.dataset.waiting = waiting.length;
    const words = navigator.onLine ? pill.dataset.waiting : waiting.length ? pill.dataset.both : pill.dataset.offline;
    pill.hidden = navigator.onLine && !waiting.length;
    pill.querySelector("span").textContent = words.replace("{n}", waiting.length);
    if (!list) return;
    list.closest("section").hidden = !waiting.length;
    list.replaceChildren(...waiting.map((item) => {
      const row = one("#waiting-row").content.cloneNode(true);
      row.querySelector(".what").textContent = item.title;
      row.querySelector("small").textContent = item.refused || new Date(item.at).toLocaleString(document.documentElement.lang);
      row.firstElementChild.classList.toggle("no", Boolean(item.refused));
      const button = row.querySelector("button");
      button.hidden = !item.refused;
      button.addEventListener("click", async () => {
        await store.drop(item.key);
        show();
      });
      return row;
    }));
  };
  document.addEventListener("portal:queue", show);
  document.addEventListener("portal:signed-out", (event) => {
    if (!location.pathname.startsWith("/portal/sign-in")) pill.href = event.detail;
  });
  const go = () => store.send().then(show, show);
  addEventListener("online", go);
  addEventListener("offline", show);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && go());
  setInterval(go, 30_000);
  go();
})();
