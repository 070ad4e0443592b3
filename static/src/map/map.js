// The map of diversion. What it shows is beside it as a table; it asks nobody for anything but its own outlines.
import { init, registerMap, use } from "echarts/core";
import { LinesChart, ScatterChart } from "echarts/charts";
import { GeoComponent, TooltipComponent } from "echarts/components";
import { LabelLayout } from "echarts/features"; // what hides names that would cover each other
import { CanvasRenderer } from "echarts/renderers";
import { greatCircle, windowAround } from "./sphere.js";

use([LinesChart, ScatterChart, GeoComponent, TooltipComponent, LabelLayout, CanvasRenderer]);

const SOURCES = ["gps", "ip", "phone"];
const LARGEST = 26, SMALLEST = 3; // radii of bubbles, px
const STEP_MS = 900;

const box = document.getElementById("map");
const told = JSON.parse(document.getElementById("map-data").textContent);
const words = told.words;
const slider = document.getElementById("map-week");
const choice = document.querySelector("select[name=week]");
const layers = [...document.querySelectorAll("[data-layer]")];
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const dark = matchMedia("(prefers-color-scheme: dark)");
const number = new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 1 });

const at = (region) => [told.regions[region][3], told.regions[region][2]];
const name = (region) => told.regions[region][1];
const colour = (role) => getComputedStyle(document.documentElement).getPropertyValue(`--${role}`).trim();
const on = (layer) => layers.find((input) => input.dataset.layer === layer)?.checked ?? false;
const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_all, key) => values[key]);

// Sums of what lies in the chosen week (0: all of them), by region, source and side of the border.
function sums(rows, week) {
  const found = new Map();
  for (const [of, region, source, own, count] of rows) {
    if (week && of !== week - 1) continue;
    const key = `${region} ${source} ${own}`;
    const sum = found.get(key) ?? { region, source, own, count: 0 };
    sum.count += count;
    found.set(key, sum);
  }
  return [...found.values()].sort((a, b) => b.count - a.count);
}

const radius = (count, most) => Math.max(LARGEST * Math.sqrt(count / most), SMALLEST);

function bubbles(week, most) {
  const paint = { 0: colour("c5"), 1: colour("c1") };
  return sums(told.seen, week).filter(({ source }) => on(SOURCES[source])).map(({ region, source, own, count }) => ({
    value: at(region),
    symbolSize: 2 * radius(count, most),
    itemStyle: {
      color: source === 0 ? paint[own] : "rgba(0,0,0,0)",
      borderColor: source === 0 ? colour("surface") : paint[own],
      borderWidth: source === 0 ? 1 : 2,
      borderType: source === 2 ? [3, 3] : "solid",
      opacity: source === 0 ? 0.82 : 1,
    },
    tip: fill(words[own ? "own" : "away"], { place: name(region), n: number.format(count), source: words[SOURCES[source]] }),
  }));
}

function expected(week, most) {
  const rows = told.expected.filter((row) => on(SOURCES[row[2]])).map(([of, region, , count]) => [of, region, 0, 0, count]);
  return sums(rows, week).filter(({ count }) => count >= 0.05).map(({ region, count }) => ({
    value: at(region),
    symbolSize: 2 * radius(count, most),
    tip: fill(words.expected, { place: name(region), n: number.format(count) }),
  }));
}

// Names beside their bubbles, to the left of those at the right edge.
function names(shown) {
  const width = (region) => Math.max(...shown.filter(({ value }) => String(value) === String(at(region))).map(({ symbolSize }) => symbolSize), 5);
  return told.towns.map((region) => {
    const edge = at(region)[0] > view.east - (view.east - view.west) * 0.12;
    return { value: at(region), name: name(region), symbolSize: width(region), label: { position: edge ? "left" : "right" } };
  });
}

function routes(squeeze) {
  const most = Math.max(...told.routes.map(([, , , cases]) => cases), 1e-9);
  const lines = [], heads = [];
  for (const [from, to, shipments, cases, title] of told.routes) {
    const tip = fill(words.route, { route: title, cases: number.format(cases), shipments: number.format(shipments) });
    const width = 1.5 + 5.5 * Math.sqrt(cases / most);
    const parts = greatCircle(at(from), at(to));
    for (const coords of parts) lines.push({ coords, lineStyle: { width }, tip });
    const longest = parts.reduce((a, b) => (b.length > a.length ? b : a));
    const middle = Math.max(Math.round(longest.length * 0.6), 1); // an arrow at the end would lie under its bubble
    const [before, here] = [longest[middle - 1], longest[Math.min(middle, longest.length - 1)]];
    const turn = (Math.atan2(here[1] - before[1], (here[0] - before[0]) * squeeze) * 180) / Math.PI - 90;
    heads.push({ value: here, symbolRotate: turn, symbolSize: [width + 9, width + 9], tip });
  }
  return { lines, heads };
}

function graticule({ west, east, south, north }) {
  const step = [1, 2, 5, 10, 20, 30].find((one) => (north - south) / one <= 6) ?? 30;
  const lines = [], marks = [];
  for (let lat = Math.ceil(south / step) * step; lat <= Math.min(north, 85); lat += step) {
    if (lat < -85) continue;
    lines.push({ coords: [[west, lat], [east, lat]] });
    if (lat > south + step / 4 && lat < north - step / 8) marks.push({ value: [west, lat], name: `${Math.abs(lat)}°${lat < 0 ? "S" : "N"}` });
  }
  for (let lon = Math.ceil(west / step) * step; lon <= east; lon += step) lines.push({ coords: [[lon, south], [lon, north]] });
  return { lines, marks };
}

const chart = init(box, null, { renderer: "canvas" });
let view = windowAround([], 2);

// The area that is shown: all that lies on the map, and a base that is no more than that window where there are no outlines.
function fit(outlines) {
  const shown = new Set([...told.seen.map((row) => row[1]), ...told.territory, ...told.routes.flatMap(([from, to]) => [from, to])]);
  view = windowAround([...shown].map(at), box.clientWidth / box.clientHeight);
  const { west, east, south, north } = view;
  const ring = [[west, south], [east, south], [east, north], [west, north], [west, south]];
  const blank = { type: "FeatureCollection", features: [{ type: "Feature", properties: { name: "" }, geometry: { type: "Polygon", coordinates: [ring] } }] };
  registerMap("base", outlines ?? blank);
}

function draw(outlines) {
  const week = Number(slider.value);
  const grid = graticule(view);
  const most = Math.max(...sums(told.seen, week).map(({ count }) => count), ...(week ? sums(told.seen, 0).map(({ count }) => count / told.weeks.length) : []), 1);
  const shown = bubbles(week, most);
  const ways = on("routes") ? routes(view.squeeze) : { lines: [], heads: [] };
  const ink = colour("ink-2"), surface = colour("surface");
  const own = new Set(told.given);
  const shaded = on("territory") && outlines ? outlines.features.filter(({ properties }) => own.has(properties.code)) : [];
  const series = (type, more) => ({ type, coordinateSystem: "geo", geoIndex: 0, animation: !calm, ...more });
  chart.setOption({
    animation: !calm,
    animationDurationUpdate: 200,
    textStyle: { fontFamily: colour("font") },
    tooltip: {
      trigger: "item", renderMode: "richText", confine: true, formatter: ({ data }) => data?.tip ?? "", backgroundColor: surface,
      borderColor: colour("line-2"), textStyle: { color: colour("ink"), fontSize: 12 },
    },
    geo: {
      map: "base", left: 0, right: 0, top: 0, bottom: 0, boundingCoords: [[view.west, view.north], [view.east, view.south]],
      aspectScale: view.squeeze, roam: matchMedia("(pointer: fine)").matches ? "move" : false, silent: true, label: { show: false },
      itemStyle: { areaColor: outlines ? colour("surface-2") : "rgba(0,0,0,0)", borderColor: colour("line-2"), borderWidth: outlines ? 1 : 0 },
      regions: shaded.map(({ properties }) => ({ name: properties.name, itemStyle: { areaColor: colour("info-soft") } })),
    },
    series: [
      series("lines", { id: "grid", polyline: true, silent: true, z: 1, lineStyle: { color: colour("grid"), width: 1, opacity: 1 }, data: grid.lines }),
      series("scatter", { id: "marks", silent: true, z: 1, symbolSize: 0.1, data: grid.marks,
        label: { show: true, position: [6, -15], formatter: "{b}", color: colour("ink-3"), fontSize: 11 } }),
      series("scatter", { id: "territory", silent: true, z: 2, symbolSize: 58, itemStyle: { color: colour("c1"), opacity: 0.13 },
        data: on("territory") && !shaded.length ? told.territory.map((region) => ({ value: at(region) })) : [] }),
      series("scatter", { id: "towns", silent: true, z: 3, symbolSize: 4, itemStyle: { color: colour("ink-3") },
        data: told.towns.map((region) => ({ value: at(region) })) }),
      series("lines", { id: "routes", polyline: true, z: 4, lineStyle: { color: colour("c5"), opacity: 0.7 }, data: ways.lines }),
      series("scatter", { id: "heads", z: 4, symbol: "triangle", itemStyle: { color: colour("c5"), opacity: 0.9 }, data: ways.heads }),
      series("scatter", { id: "seen", z: 5, data: shown }),
      series("scatter", { id: "expected", z: 6, symbol: "diamond", itemStyle: { color: "rgba(0,0,0,0)", borderColor: colour("c2"), borderWidth: 2 },
        data: on("expected") ? expected(week, most) : [] }),
      series("scatter", { id: "names", silent: true, z: 7, itemStyle: { color: "rgba(0,0,0,0)" }, labelLayout: { hideOverlap: true }, data: names(shown),
        label: { show: true, formatter: "{b}", distance: 3, color: ink, fontSize: 12, textBorderColor: surface, textBorderWidth: 2 } }),
    ],
  });
  tell(week, shown.length, most);
}

// The words around the map: which week, how many scans each layer holds, how large the largest bubble is.
function tell(week, count, most) {
  const label = week ? told.weeks[week - 1] : words.every;
  slider.setAttribute("aria-valuetext", label);
  document.getElementById("map-week-name").textContent = label;
  document.getElementById("map-largest").textContent = count ? fill(words.largest, { n: number.format(most) }) : "";
  const rows = sums(told.seen, week);
  for (const output of document.querySelectorAll("[data-count]")) {
    const source = SOURCES.indexOf(output.dataset.count);
    output.textContent = number.format(rows.filter((row) => row.source === source).reduce((sum, row) => sum + row.count, 0));
  }
  document.querySelectorAll(".map-weeks rect").forEach((bar, place) => bar.classList.toggle("pale", week > 0 && place !== week - 1));
  box.dataset.bubbles = count;
}

function picture() {
  const canvas = chart.renderToCanvas({ pixelRatio: 2, backgroundColor: colour("surface") });
  const sheet = document.createElement("canvas");
  const lines = [words.title, document.getElementById("map-week-name").textContent, told.attribution].filter(Boolean);
  [sheet.width, sheet.height] = [canvas.width, canvas.height + 40 * lines.length + 24];
  const pen = sheet.getContext("2d");
  pen.fillStyle = colour("surface");
  pen.fillRect(0, 0, sheet.width, sheet.height);
  pen.drawImage(canvas, 0, 0);
  pen.fillStyle = colour("ink");
  pen.font = `26px ${colour("font")}`;
  lines.forEach((line, row) => pen.fillText(line, 24, canvas.height + 40 * (row + 1), sheet.width - 48));
  sheet.toBlob((blob) => {
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: `${words.file}.png` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

function start(outlines) {
  const again = () => draw(outlines);
  const zoom = (factor) => {
    const now = chart.getOption().geo[0];
    chart.setOption({ geo: factor ? { zoom: Math.min(Math.max((now.zoom ?? 1) * factor, 1), 40) } : { zoom: 1, center: null } });
  };
  fit(outlines);
  slider.value = choice.selectedIndex;
  again();
  slider.addEventListener("input", again);
  slider.addEventListener("change", () => {
    choice.selectedIndex = Number(slider.value);
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  });
  choice.addEventListener("change", () => {
    slider.value = choice.selectedIndex;
    again();
  });
  layers.forEach((input) => input.addEventListener("change", again));
  dark.addEventListener("change", again);
  document.getElementById("map-in").addEventListener("click", () => zoom(1.5));
  document.getElementById("map-out").addEventListener("click", () => zoom(1 / 1.5));
  document.getElementById("map-whole").addEventListener("click", () => zoom(0));
  document.getElementById("map-picture").addEventListener("click", picture);
  new ResizeObserver(() => {
    if (!box.clientWidth || (chart.getWidth() === box.clientWidth && chart.getHeight() === box.clientHeight)) return;
    chart.resize();
    fit(outlines);
    again();
  }).observe(box);
  play();
}

// Week after week by itself; only for those who did not ask for less motion, and until they touch the slider.
function play() {
  const button = document.getElementById("map-play");
  let timer = 0;
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    button.setAttribute("aria-pressed", "false");
  };
  const step = () => {
    if (slider.value === slider.max) return stop();
    slider.stepUp();
    slider.dispatchEvent(new Event("input"));
    if (slider.value === slider.max) slider.dispatchEvent(new Event("change"));
  };
  button.hidden = calm || told.weeks.length < 2;
  button.addEventListener("click", () => {
    if (timer) return stop();
    if (slider.value === slider.max) slider.value = 0;
    button.setAttribute("aria-pressed", "true");
    timer = setInterval(step, STEP_MS);
  });
  slider.addEventListener("pointerdown", stop);
  slider.addEventListener("keydown", stop);
}

document.querySelectorAll("[data-with-map]").forEach((part) => { part.hidden = false; });
if (told.outlines) fetch(told.outlines).then((answer) => (answer.ok ? answer.json() : null), () => null).then(start);
else start(null);
