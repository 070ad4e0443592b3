// Arithmetic on the globe. Positions are [longitude, latitude] in degrees.

const radians = (degrees) => (degrees * Math.PI) / 180;
const degrees = (angle) => (angle * 180) / Math.PI;
const vector = ([lon, lat]) => [
  Math.cos(radians(lat)) * Math.cos(radians(lon)),
  Math.cos(radians(lat)) * Math.sin(radians(lon)),
  Math.sin(radians(lat)),
];

// The great circle between two places as lines of points: one line, or two where it crosses the date line.
export function greatCircle(from, to, steps = 32) {
  const [a, b] = [vector(from), vector(to)];
  const angle = Math.acos(Math.min(1, Math.max(-1, a[0] * b[0] + a[1] * b[1] + a[2] * b[2])));
  if (angle < 1e-6) return [[from, to]];
  const lines = [[from]];
  for (let step = 1; step <= steps; step++) {
    const t = step / steps;
    const [p, q] = [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
    const [x, y, z] = [0, 1, 2].map((axis) => p * a[axis] + q * b[axis]);
    const point = step === steps ? to : [degrees(Math.atan2(y, x)), degrees(Math.atan2(z, Math.hypot(x, y)))];
    const line = lines.at(-1);
    if (Math.abs(point[0] - line.at(-1)[0]) > 180) lines.push([point]);
    else line.push(point);
  }
  return lines;
}

// The window [west, south, east, north] around places, with a margin, in the shape (width / height) of its box.
export function windowAround(places, shape) {
  const span = (values) => [Math.min(...values), Math.max(...values)];
  let [west, east] = places.length ? span(places.map(([lon]) => lon)) : [-170, 170];
  let [south, north] = places.length ? span(places.map(([, lat]) => lat)) : [-55, 75];
  const squeeze = Math.cos(radians((south + north) / 2));
  let [width, height] = [Math.max((east - west) * 1.18, 3), Math.max((north - south) * 1.22, 3)];
  if ((width * squeeze) / height < shape) width = (height * shape) / squeeze;
  else height = (width * squeeze) / shape;
  const [lon, lat] = [(west + east) / 2, (south + north) / 2];
  [west, east, south, north] = [lon - width / 2, lon + width / 2, lat - height / 2, lat + height / 2];
  return { west, east, south, north, squeeze };
}
