// Pages of the portal when there is no network. The pages themselves keep copies here (portal.js); this only answers.
"use strict";
const PAGES = "portal-pages", FILES = "portal-files", PATIENCE_MS = 5000;
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));

const patient = (request) => {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), PATIENCE_MS);
  return fetch(request, { signal: stop.signal }).finally(() => clearTimeout(timer));
};
const page = async (request) => {
  const path = new URL(request.url).pathname;
  const kept = await (await caches.open(PAGES)).match(path, { ignoreVary: true });
  if (!kept) return fetch(request);
  try {
    const answer = await patient(request);
    if (answer.ok && !answer.redirected) (await caches.open(PAGES)).put(path, answer.clone());
    return answer;
  } catch {
    return kept;
  }
};
const file = async (request) => {
  const files = await caches.open(FILES);
  const kept = await files.match(request, { ignoreVary: true });
  const fresh = fetch(request).then((answer) => {
    if (answer.ok) files.put(request, answer.clone());
    return answer;
  });
  if (!kept) return fresh;
  fresh.catch(() => { /* the kept one is as good */ });
  return kept;
};
addEventListener("fetch", (event) => {
  const { request } = event, url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin) return;
  if (request.mode === "navigate" && url.pathname.startsWith("/portal/")) event.respondWith(page(request));
  else if (url.pathname.startsWith("/static/")) event.respondWith(file(request));
});
