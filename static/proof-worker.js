// Checks a published proof of a draw (LD1) or an instant game (IW1) in the browser: all that verify_draw.py checks, but
// for the BLS signature of the public value and the seals of the ledger. docs/algorithms/draws.md has the protocol.
"use strict";

class Unreadable extends Error {}
const subtle = crypto.subtle;
const BATCH = 512, BLOCKS = 1 << 16, LEAD_S = 1800, LATEST_S = 60;
const FILES = {
  draw: "README.txt beacon.json claims.jsonl entries.jsonl manifest.json result.json root.json rules.json seals.json signatures.json verify_draw.py voided.jsonl",
  reveal: "README.txt beacon.json commitments.json manifest.json reveal.json rules.json seals.json signatures.json verify_draw.py",
};
const TAGS = {
  manifest: "lottery-bundle/v1", draw_rules: "ld1-rules/v1", root: "ld1-root/v1",
  rules: "lottery-rules/v1", first: "iw1-commitment/v1", second: "iw1-commitment/v1",
};

// --- bytes ---------------------------------------------------------------------------------------------------------

const encode = (text) => new TextEncoder().encode(text);
const decode = (data) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
const hex = (data) => Array.from(data, (byte) => byte.toString(16).padStart(2, "0")).join("");
const unhex = (text) => {
  if (typeof text !== "string" || !/^(?:[0-9a-f]{2})*$/.test(text)) throw new Unreadable("hex");
  return Uint8Array.from(text.match(/../g) || [], (pair) => parseInt(pair, 16));
};
const join = (...parts) => {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) { whole.set(part, at); at += part.length; }
  return whole;
};
const be = (number, size) => {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(number));
  return new Uint8Array(view.buffer, 8 - size);
};
const sha256 = async (data) => new Uint8Array(await subtle.digest("SHA-256", data));
const same = (a, b) => a.length === b.length && a.every((byte, place) => byte === b[place]);
const before = (list, a, b) => { // whether leaf a of a list of 32-byte leaves comes before leaf b
  for (let i = 0; i < 32; i++) if (list[32 * a + i] !== list[32 * b + i]) return list[32 * a + i] < list[32 * b + i];
  return false;
};

// --- canonical JSON, the container -----------------------------------------------------------------------------------

const canonical = (value) => {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
};
const json = (data) => {
  const text = decode(data), value = JSON.parse(text);
  if (canonical(value) !== text) throw new Unreadable("not canonical");
  return value;
};
const lines = (data) => decode(data).split("\n").slice(0, -1).map((line) => json(encode(line)));

function unpack(data) {
  const view = new DataView(data), end = data.byteLength - 22, files = new Map();
  if (end < 0 || view.getUint32(end, true) !== 0x06054b50) throw new Unreadable("container");
  let at = view.getUint32(end + 16, true);
  for (let n = view.getUint16(end + 10, true); n > 0; n--) {
    if (view.getUint32(at, true) !== 0x02014b50 || view.getUint16(at + 10, true)) throw new Unreadable("container");
    const size = view.getUint32(at + 24, true), length = view.getUint16(at + 28, true);
    const name = decode(new Uint8Array(data, at + 46, length)), local = view.getUint32(at + 42, true);
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (files.has(name)) throw new Unreadable("container");
    files.set(name, new Uint8Array(data, start, size));
    at += 46 + length + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return Object.fromEntries(files);
}

// --- the report ------------------------------------------------------------------------------------------------------

let failed = false;
const say = (check, result, values = {}) => {
  if (result === "fails") failed = true;
  postMessage({ check, result, values });
};
const test = (check, holds, values) => say(check, holds ? "holds" : "fails", values);
const progress = (done, total) => postMessage({ done, total });

// --- signatures, trees, the public value -----------------------------------------------------------------------------

async function verifier(key) {
  if (key.length !== 32) throw new Unreadable("key");
  let known;
  try {
    known = await subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error.name === "DataError") throw new Unreadable("key");
    return null; // this browser has no Ed25519
  }
  return async (tag, content, signature) =>
    subtle.verify("Ed25519", known, signature, join(encode(tag), [0], await sha256(content)));
}

async function merkleRoot(leaves, count) {
  if (!count) return sha256(new Uint8Array());
  let level = leaves, total = count, done = 0;
  while (total > 1) {
    const half = total >> 1, above = new Uint8Array(32 * (half + total % 2));
    for (let start = 0; start < half; start += BATCH) {
      const stop = Math.min(half, start + BATCH), made = [];
      for (let i = start; i < stop; i++) made.push(sha256(join([1], level.subarray(64 * i, 64 * i + 64))));
      (await Promise.all(made)).forEach((node, i) => above.set(node, 32 * (start + i)));
      progress(count + (done += stop - start), 2 * count);
    }
    if (total % 2) above.set(level.subarray(32 * (total - 1), 32 * total), 32 * half);
    level = above;
    total = half + total % 2;
  }
  return level.slice(0, 32);
}

async function rootByPath(leaf, index, size, path) {
  let node = leaf, last = size - 1;
  const rest = path.slice();
  if (!(index >= 0 && index < size)) return null;
  while (last > 0) {
    if ((index ^ 1) <= last) {
      const step = rest.shift();
      if (!step) return null;
      node = await sha256(index % 2 ? join([1], step, node) : join([1], node, step));
    }
    index = Math.floor(index / 2);
    last = Math.floor(last / 2);
  }
  return rest.length ? null : node;
}

const timeOf = (beacon, round) => beacon.genesis + beacon.period * (round - 1);
const firstRoundFrom = (beacon, moment) => Math.max(1, Math.ceil((moment - beacon.genesis) / beacon.period) + 1);

function beaconBytes(beacon, value) {
  const named = value.source === beacon.source && value.chain === beacon.chain && value.round === beacon.round;
  const manual = beacon.source === "manual";
  if (manual ? !/^(?:(?:[0-9]{1,20}\.)+\/)+$/.test(value.text) : !/^[0-9a-f]{96}$/.test(value.signature)) throw new Unreadable("beacon");
  test("beacon_named", named, { round: beacon.round });
  say(beacon.source === "private" ? "beacon_private" : manual ? "beacon_manual" : "beacon", "left", { round: beacon.round, value: value.text || "" });
  return manual ? encode(value.text) : unhex(value.signature);
}

// --- LD1 ---------------------------------------------------------------------------------------------------------------

async function readEntries(data, rules) {
  const breaks = [];
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, at + 1)) breaks.push(at);
  if (data.length && breaks.at(-1) !== data.length - 1) throw new Unreadable("entries");
  const count = breaks.length, leaves = new Uint8Array(32 * count), upto = new Float64Array(count);
  const keys = new Array(count), numbers = new Map(), refs = new Set();
  let total = 0, heavy = 0, labels = 0, start = 0;
  for (let first = 0; first < count; first += BATCH) {
    const stop = Math.min(count, first + BATCH), made = [];
    for (let i = first; i < stop; i++) {
      const line = data.subarray(start, breaks[i]), entry = json(line);
      start = breaks[i] + 1;
      if (Object.keys(entry).sort().join() !== "entry,kin,ref,src,weight,who" || !Number.isSafeInteger(entry.weight)) throw new Unreadable("entries");
      heavy += entry.weight < 1 || entry.weight > rules.max_weight;
      labels += entry.src === "label";
      upto[i] = total += entry.weight;
      keys[i] = rules.one_per === "entry" ? entry.entry : rules.one_per === "kin" && entry.kin || entry.who;
      numbers.set(entry.entry, i);
      refs.add(entry.ref);
      made.push(sha256(join([0], line)));
    }
    (await Promise.all(made)).forEach((leaf, i) => leaves.set(leaf, 32 * (first + i)));
    progress(stop, 2 * count);
  }
  return { count, leaves, upto, keys, numbers, refs: refs.size, total, heavy, labels };
}

async function select(seed, list, prizes) {
  const order = ["winner", "alternate"].flatMap((role) => prizes.flatMap((prize) =>
    Array.from({ length: role === "winner" ? prize.quantity : prize.alternates }, (_, i) => ({ tier: prize.tier, unit: i + 1, role }))));
  const weights = new Map();
  list.keys.forEach((key, i) => weights.set(key, (weights.get(key) || 0) + list.upto[i] - (i ? list.upto[i - 1] : 0)));
  const key = await subtle.importKey("raw", seed, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const total = BigInt(list.total), limit = total && 2n ** 256n / total * total, gone = new Set(), picks = [];
  let left = list.total;
  for (const [pick, unit] of order.entries()) {
    if (!left) break;
    for (let tries = 0; ; tries++) {
      const x = BigInt("0x" + hex(new Uint8Array(await subtle.sign("HMAC", key, join(be(pick, 4), be(tries, 4))))));
      if (x >= limit) continue;
      const wanted = Number(x % total);
      let low = 0, high = list.count - 1;
      while (low < high) { const mid = (low + high) >> 1; if (list.upto[mid] > wanted) high = mid; else low = mid + 1; }
      if (gone.has(list.keys[low])) continue;
      gone.add(list.keys[low]);
      left -= weights.get(list.keys[low]);
      picks.push({ pick, tries: tries + 1, leaf: hex(list.leaves.subarray(32 * low, 32 * low + 32)), ...unit });
      break;
    }
    if (pick % 64 === 0) progress(pick, order.length);
  }
  return { picks, unfilled: order.length - picks.length };
}

async function checkDraw(files, options, isSigned) {
  const [rules, root, result, value] = ["rules", "root", "result", "beacon"].map((name) => json(files[`${name}.json`]));
  const rulesHash = await sha256(files["rules.json"]);
  test("one_draw", rules.algorithm === "LD1-SHA256" && root.draw === rules.draw && result.draw === rules.draw && root.rules === hex(rulesHash));
  if (options.root) {
    const saved = JSON.parse(decode(new Uint8Array(options.root)));
    if (saved?.draw !== root.draw || typeof saved.root !== "string") throw new Unreadable("saved root");
    test("saved_root", canonical(saved) === canonical(root));
  }
  const beacon = { ...rules.beacon, round: root.round };
  test("rules_first", json(files["seals.json"]).declared.rules_at <= rules.opens_at, { at: rules.opens_at });
  const late = root.published_at > timeOf(beacon, rules.beacon.round) - LATEST_S;
  const due = late ? firstRoundFrom(beacon, root.published_at + LEAD_S) : rules.beacon.round;
  const named = beacon.source === "manual" || rules.beacon.round === firstRoundFrom(beacon, rules.close_at + LEAD_S) && root.round === due;
  test("round", named && timeOf(beacon, root.round) > rules.close_at, { round: root.round });
  test("root_first", rules.close_at <= root.published_at && root.published_at < timeOf(beacon, root.round), { at: root.published_at, due: timeOf(beacon, root.round) });
  const drawn = beaconBytes(beacon, value);

  const list = await readEntries(files["entries.jsonl"], rules);
  let sorted = true;
  for (let i = 1; i < list.count; i++) sorted = sorted && before(list.leaves, i - 1, i);
  test("entries", sorted && list.count === root.n && list.total === root.weight, { n: list.count, weight: list.total });
  test("root", hex(await merkleRoot(list.leaves, list.count)) === root.root, { root: root.root });
  test("weights", !list.heavy && list.refs === list.count && (!rules.eligible_labels || list.labels <= rules.eligible_labels), { most: rules.max_weight });
  const voided = lines(files["voided.jsonl"]);
  test("voided", hex(await sha256(encode(canonical(voided)))) === root.voided, { n: voided.length });
  const seed = await sha256(join(encode("LD1"), rulesHash, unhex(root.root), drawn));
  test("seed", hex(seed) === result.seed, { seed: hex(seed) });
  const stated = rules.prizes === "reserve" ? root.prizes : rules.prizes.map((prize) => ({ ...prize, alternates: rules.alternates[prize.tier] }));
  test("prizes", canonical(stated) === canonical(root.prizes));
  const prizes = root.prizes.slice().sort((a, b) => a.tier - b.tier);
  const found = await select(seed, list, prizes);
  test("picks", canonical(found.picks) === canonical(result.picks) && found.unfilled === result.unfilled, { n: found.picks.length });
  if (options.receipt) await checkEntry(options.receipt, { rules, rulesHash, list, voided, result, isSigned });
}

async function checkEntry(receipt, { rules, rulesHash, list, voided, result, isSigned }) {
  if (typeof receipt === "number") {
    const place = list.numbers.get(receipt);
    return test(place === undefined ? "entry_missing" : "entry_listed", place !== undefined, place === undefined ? { entry: receipt } : placeOf(place, list, receipt, result));
  }
  const content = receipt.content;
  if (isSigned) {
    const good = await isSigned("lottery-receipt/v1", encode(canonical(content)), unhex(receipt.signature));
    test("receipt_signed", good);
    if (!good) return;
  }
  if (content.draw !== rules.draw || content.rules !== hex(rulesHash)) return say("receipt_other", "fails");
  const leaf = unhex(content.leaf);
  for (let i = 0; i < list.count; i++) {
    if (same(list.leaves.subarray(32 * i, 32 * i + 32), leaf)) return say("entry_listed", "holds", placeOf(i, list, content.entry, result));
  }
  const gone = voided.find((line) => line.leaf === content.leaf);
  if (gone) return say("entry_void", "holds", { entry: content.entry, reason: gone.reason, at: gone.at });
  say("receipt_missing", "fails", { entry: content.entry });
}

const placeOf = (place, list, entry, result) => {
  const leaf = hex(list.leaves.subarray(32 * place, 32 * place + 32));
  const pick = result.picks.find((one) => one.leaf === leaf);
  return { entry, weight: list.upto[place] - (place ? list.upto[place - 1] : 0), total: list.total, tier: pick ? pick.tier : 0, role: pick ? pick.role : "" };
};

// --- IW1 -----------------------------------------------------------------------------------------------------------------

function without(spans, out) {
  const found = [];
  for (const [first, beyond] of spans) {
    let here = first;
    for (const [start, end] of out) {
      if (end <= here || start >= beyond) continue;
      if (start > here) found.push([here, start]);
      here = Math.max(here, end);
    }
    if (here < beyond) found.push([here, beyond]);
  }
  return found;
}

const pairOf = (limit) => limit && [BigInt("0x" + limit[0]), Number(limit[1])];
const upTo = (r, label, [most, last]) => r < most || r === most && label <= last;

async function numbers(key, tag, first, count) {
  const stream = await subtle.encrypt({ name: "AES-CTR", counter: join(tag, be(first, 8)), length: 64 }, key, new Uint8Array(16 * count));
  return new DataView(stream);
}

async function checkReveal(files, options, isSigned) {
  const told = json(files["commitments.json"]), reveal = json(files["reveal.json"]), value = json(files["beacon.json"]);
  const { first, second } = told, rules = json(files["rules.json"]), campaign = unhex(first.campaign);
  const hashes = [hex(await sha256(encode(canonical(first)))), hex(await sha256(encode(canonical(second))))];
  test("one_game", first.alg === "IW1-AES256" && [second, rules, reveal].every((one) => one.campaign === first.campaign) && told.rules.includes(first.rules));
  const beacon = first.beacon, committed = json(files["seals.json"]).declared.committed_at;
  test("commitment_first", committed < timeOf(beacon, beacon.round), { at: committed, due: timeOf(beacon, beacon.round) });
  const bound = await Promise.all(reveal.secrets.map(([s, n]) => sha256(join(encode("IW1-SECRET"), unhex(s), unhex(n)))));
  test("secrets", canonical(bound.map(hex)) === canonical(first.k), { n: bound.length });
  const drawn = beaconBytes(beacon, value);
  test("second", second.first === hashes[0] && second.round === beacon.round && second.signature === value.signature);
  const material = await subtle.importKey("raw", join(...reveal.secrets.map(([s]) => unhex(s))), "HKDF", false, ["deriveBits"]);
  const gameKey = new Uint8Array(await subtle.deriveBits({ name: "HKDF", hash: "SHA-256", salt: drawn, info: join(encode("IW1-KEY"), campaign) }, material, 256));
  test("game_key", hex(gameKey) === reveal.key && hex(await sha256(gameKey)) === second.key);
  const limits = reveal.pools.map((pool) => ({ pool: pool.pool, th: pool.th }));
  test("thresholds", hex(await sha256(encode(canonical(limits)))) === second.thresholds);
  const aes = await subtle.importKey("raw", gameKey, "AES-CTR", false, ["encrypt"]);
  test("pools", canonical(first.pools.map((pool) => pool.pool)) === canonical(reveal.pools.map((pool) => pool.pool)));
  for (const [place, pool] of reveal.pools.entries()) await checkPool(first.pools[place], pool, campaign, aes);
  if (options.receipt) await checkPlay(options.receipt, { first, reveal, hashes, campaign, aes, isSigned });
}

const tagOf = async (campaign, pool) => (await sha256(join(encode("IW1-POOL"), campaign, be(pool, 4)))).slice(0, 8);

async function checkPool(told, pool, campaign, aes) {
  for (const what of ["ranges", "excluded"]) {
    const hash = await sha256(join(unhex(pool[`${what}_salt`]), encode(canonical(pool[what]))));
    const apart = pool[what].every((span, i) => !i || pool[what][i - 1][1] <= span[0]);
    test(what, hex(hash) === told[what] && apart, { pool: pool.pool });
  }
  const spans = without(pool.ranges, pool.excluded), total = spans.reduce((sum, [a, b]) => sum + b - a, 0);
  const limits = pool.th.map(pairOf), given = limits.filter(Boolean), tag = await tagOf(campaign, pool.pool), low = [];
  const most = given.reduce((a, b) => (a && upTo(b[0], b[1], a) ? a : b), null);
  let done = 0;
  for (const [start, beyond] of most ? spans : []) {
    for (let at = start; at < beyond; at += BLOCKS) {
      const count = Math.min(BLOCKS, beyond - at), view = await numbers(aes, tag, at, count), high = Number(most[0] >> 32n);
      for (let i = 0; i < count; i++) {
        if (view.getUint32(16 * i) > high) continue;
        const r = view.getBigUint64(16 * i);
        if (upTo(r, at + i, most)) low.push([r, at + i]);
      }
      progress(done += count, total);
    }
  }
  low.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]));
  let upto = 0, exact = total === told.n && limits.length === told.tiers.length;
  told.tiers.forEach((quantity, i) => {
    upto += quantity;
    const limit = limits[i], pair = low[upto - 1];
    exact = exact && upto <= low.length && (upto === 0 ? !limit : Boolean(limit && pair && pair[0] === limit[0] && pair[1] === limit[1]));
  });
  test("pool", exact, { pool: pool.pool, n: total, winners: told.tiers.join(" + ") });
}

async function checkPlay(receipt, { first, reveal, hashes, campaign, aes, isSigned }) {
  const content = receipt.content;
  if (!content) return say("receipt_other", "fails");
  if (isSigned) {
    const good = await isSigned("lottery-receipt/v1", encode(canonical(content)), unhex(receipt.signature));
    test("receipt_signed", good);
    if (!good) return;
  }
  const pool = reveal.pools.find((one) => one.pool === content.pool), told = first.pools.find((one) => one.pool === content.pool);
  if (content.campaign !== first.campaign || canonical(content.commitments) !== canonical(hashes) || !pool || !told) return say("receipt_other", "fails");
  const leaf = await sha256(join([0], be(content.label_no, 8), encode(content.serial), unhex(content.salt)));
  const root = await rootByPath(leaf, content.index, content.size, content.path.map(unhex));
  test("label_path", root && told.manifests.includes(hex(root)), { serial: content.serial });
  const label = content.label_no, r = (await numbers(aes, await tagOf(campaign, pool.pool), label, 1)).getBigUint64(0);
  const takes = without(pool.ranges, pool.excluded).some(([a, b]) => a <= label && label < b);
  const tier = takes ? pool.th.map(pairOf).findIndex((limit) => limit && upTo(r, label, limit)) + 1 : 0;
  const right = content.outcome === "points_only" || (content.tier || 0) === tier;
  test(tier ? "play_won" : "play_lost", right, { tier });
}

// --- the whole -------------------------------------------------------------------------------------------------------------

async function check({ data, options }) {
  const files = unpack(data);
  const manifest = json(files["manifest.json"] || new Uint8Array()), names = FILES[manifest.kind];
  if (!names || Object.keys(files).sort().join(" ") !== names) throw new Unreadable("container");
  say("container", "holds", { n: Object.keys(files).length });
  const hashes = {};
  for (const [name, content] of Object.entries(files)) {
    if (name !== "manifest.json" && name !== "signatures.json") hashes[name] = hex(await sha256(content));
  }
  test("hashes", canonical(hashes) === canonical(manifest.files));
  const key = unhex(manifest.key), fingerprint = hex(await sha256(key)).slice(0, 32);
  if (options.key) test("key", manifest.key === options.key, { fingerprint });
  const signed = { manifest: files["manifest.json"] };
  if (manifest.kind === "draw") Object.assign(signed, { draw_rules: files["rules.json"], root: files["root.json"] });
  else {
    const told = json(files["commitments.json"]);
    Object.assign(signed, { rules: files["rules.json"], first: encode(canonical(told.first)), second: encode(canonical(told.second)) });
  }
  const isSigned = await verifier(key), signatures = json(files["signatures.json"]);
  if (!isSigned) say("signatures", "left");
  else {
    let good = Object.keys(signatures).sort().join() === Object.keys(signed).sort().join();
    for (const [name, content] of Object.entries(signed)) good = good && await isSigned(TAGS[name], content, unhex(signatures[name]));
    test("signatures", good);
  }
  await (manifest.kind === "draw" ? checkDraw : checkReveal)(files, options, isSigned);
}

onmessage = async ({ data }) => {
  failed = false;
  try {
    await check(data);
    postMessage({ end: failed ? "fails" : "holds" });
  } catch (error) {
    postMessage({ end: "unreadable", reason: String(error.message || error) });
  }
};
