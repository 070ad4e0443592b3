// Reduce world-atlas (Natural Earth, public domain) to the outlines behind a map that no operator has replaced.
// Used: node static/src/map/world.mjs FILE. Nobody's names, no Antarctica; bays below some 5 km are smoothed away.
import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";
import { feature } from "topojson-client";
import { presimplify, simplify } from "topojson-simplify";

const SMALLEST = 0.05; // square degrees that a bend must span to stay
const ANTARCTICA = "010";

const atlas = createRequire(import.meta.url)("world-atlas/countries-50m.json");
const reduced = simplify(presimplify(atlas), SMALLEST);
const countries = feature(reduced, reduced.objects.countries).features.filter((one) => one.geometry && one.id !== ANTARCTICA);
const features = countries.map(({ id, geometry }) => ({ type: "Feature", properties: { name: id ?? "" }, geometry }));
const rounded = (_key, value) => (typeof value === "number" ? Math.round(value * 100) / 100 : value);
writeFileSync(process.argv[2], JSON.stringify({ type: "FeatureCollection", features }, rounded));
