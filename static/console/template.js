// The editor of templates: size on the screen, a bank card to measure it by, and from the preview to the form.
"use strict";
(() => {
  const CARD_MM = 85.6, KEY = "zhenbiao.px-per-mm", ZOOM = "zhenbiao.zoom", USUAL = 96 / 25.4;
  const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const keep = (name, value) => { try { value === null ? localStorage.removeItem(name) : localStorage.setItem(name, value); } catch { /* private window */ } };
  const perMm = () => Number(stored(KEY)) || USUAL;

  const size = () => {
    const room = document.querySelector(".stage-room"), svg = room?.querySelector("svg.stage");
    const zoom = stored(ZOOM) || "fit";
    document.querySelectorAll("[data-zoom]").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.zoom === zoom));
      button.classList.toggle("on", button.dataset.zoom === zoom);
    });
    if (!svg) return;
    const box = svg.viewBox.baseVal;
    const scale = zoom === "fit" ? Math.min((room.clientWidth - 24) / box.width, 420 / box.height) : perMm() * Number(zoom);
    svg.setAttribute("width", `${box.width * scale}px`);
    svg.setAttribute("height", `${box.height * scale}px`);
  };

  const measure = () => {
    const part = document.getElementById("measure");
    if (!part) return;
    part.hidden = false;
    const px = perMm() * CARD_MM, card = document.getElementById("card");
    card.setAttribute("width", `${px}px`);
    card.setAttribute("height", `${px * 53.98 / CARD_MM}px`);
    document.getElementById("card-px").value = px;
    document.getElementById("card-number").value = px.toFixed(1);
    document.getElementById("measured").textContent = `${perMm().toFixed(3)} px/mm`;
  };

  const open = (place) => {
    const row = document.getElementById(`el-${place}`);
    if (!row) return;
    row.open = true;
    row.scrollIntoView({ block: "center" });
    row.querySelector("input:not([type=hidden]), select")?.focus();
  };

  document.addEventListener("click", (event) => {
    const zoom = event.target.closest("[data-zoom]"), link = event.target.closest("[data-open]"), drawn = event.target.closest("[data-element]");
    if (zoom) { keep(ZOOM, zoom.dataset.zoom); size(); }
    if (link) { event.preventDefault(); open(link.dataset.open); }
    else if (drawn) open(drawn.dataset.element);
    if (event.target.closest("#card-reset")) { keep(KEY, null); measure(); size(); }
  });
  // What measures the screen is no part of the template: the form does not hear of it.
  document.addEventListener("input", (event) => {
    if (!["card-px", "card-number"].includes(event.target.id)) return;
    event.stopPropagation();
    const px = Number(event.target.value);
    if (px < 120 || px > 900) return;
    keep(KEY, String(px / CARD_MM));
    if (event.target.id === "card-px") measure();
    else document.getElementById("measured").textContent = `${perMm().toFixed(3)} px/mm`;
    size();
  }, true);
  document.addEventListener("change", (event) => { if (event.target.id === "card-number") measure(); });
  document.addEventListener("toggle", (event) => {
    const row = event.target.closest?.("details.el[id]");
    document.querySelectorAll(".stage [data-element].on").forEach((one) => one.classList.remove("on"));
    if (row?.open) document.querySelector(`.stage [data-element="${row.id.slice(3)}"]`)?.classList.add("on");
  }, true);
  document.body.addEventListener("htmx:afterSwap", (event) => {
    size();
    if (event.target.id === "work" || event.detail.target?.id === "work") {
      measure();
      document.querySelector("#work [data-new]")?.querySelector("input:not([type=hidden]), select")?.focus();
    }
  });
  addEventListener("resize", size);
  size();
  measure();
})();
