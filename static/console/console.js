// What the console adds in the browser. Every page works without it.
"use strict";
(() => {
  const body = document.body;

  const say = (text, look) => {
    document.querySelector(".toast")?.remove();
    const box = document.createElement("div");
    box.className = `note toast ${look}`;
    box.setAttribute("role", "status");
    box.textContent = text;
    body.append(box);
    setTimeout(() => box.remove(), 4000);
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      document.querySelector("[data-find]")?.select();
    } else if (event.key === "Escape") {
      document.querySelectorAll("details.drop[open], details.drawer[open]").forEach((menu) => {
        menu.open = false;
        menu.querySelector("summary").focus();
      });
    } else if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && (event.key === "j" || event.key === "k")) {
      const rows = [...document.querySelectorAll("tbody a.row, tbody td:first-child a")];
      const next = rows[rows.indexOf(document.activeElement) + (event.key === "j" ? 1 : -1)];
      (next || rows[0])?.focus();
    }
  });

  document.addEventListener("click", async (event) => {
    const copy = event.target.closest("[data-copy]");
    if (copy) {
      await navigator.clipboard?.writeText(copy.dataset.copy);
      say(body.dataset.copied, "ok");
    }
    document.querySelectorAll("details.drop[open], details.drawer[open]").forEach((menu) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
  });

  const focusError = () => (document.querySelector(".field.bad :is(input, select, textarea)") ?? document.querySelector("[data-focus]"))?.focus();
  body.addEventListener("htmx:beforeRequest", (event) => event.detail.elt.closest("[data-quiet], #jobs, #calls, .job") || document.getElementById("bar").classList.add("htmx-request"));
  body.addEventListener("htmx:afterRequest", () => document.getElementById("bar").classList.remove("htmx-request"));
  body.addEventListener("htmx:responseError", () => say(body.dataset.failed, "grey"));
  body.addEventListener("htmx:sendError", (event) => event.detail.elt?.id === "calls" || say(body.dataset.failed, "grey"));
  body.addEventListener("htmx:afterSwap", (event) => event.detail.target?.id === "calls" || focusError());

  if (navigator.platform.startsWith("Mac")) document.querySelectorAll(".find .kbd").forEach((key) => { key.textContent = "⌘ K"; });
  focusError();
})();
