// What a scanner or a thumb sent, read just well enough to know the same thing again without a network: an SSCC, or a
// serial with or without its GTIN. The server reads it again (labels/elements.py) and decides.
"use strict";
window.Portal ??= {};
Portal.codes = (() => {
  const fits = (digits) => {
    let sum = 0;
    for (let at = 1; at < digits.length; at += 1) sum += Number(digits[digits.length - 1 - at]) * (at % 2 ? 3 : 1);
    return (10 - (sum % 10)) % 10 === Number(digits.at(-1));
  };
  const sscc = (digits) => /^\d{18}$/.test(digits) && fits(digits) ? { key: `00${digits}`, kind: "case", shown: group(digits) } : null;
  const serial = (text) => /^[0-9A-Z]{12}$/i.test(text) ? { key: `21${text.toUpperCase()}`, kind: "label", shown: text.toUpperCase() } : null;
  const group = (digits) => [digits[0], digits.slice(1, 8), digits.slice(8, 13), digits.slice(13, 17), digits[17]].join(" ");

  // Elements of fixed length, of those that may stand before a serial.
  const FIXED = { "00": 18, "01": 14, "02": 14, 11: 6, 12: 6, 13: 6, 15: 6, 16: 6, 17: 6, 20: 2 };
  const elements = (text) => {
    const found = {};
    let rest = text;
    while (rest) {
      rest = rest.replace(/^\x1d+/, "");
      const ai = rest.slice(0, 2), length = FIXED[ai];
      const end = length ? 2 + length : rest.indexOf("\x1d") < 0 ? rest.length : rest.indexOf("\x1d");
      if (!/^\d\d$/.test(ai) || rest.length < (length ? end : 3)) return found;
      found[ai] ??= rest.slice(2, end);
      rest = rest.slice(end);
    }
    return found;
  };
  const of = (found) => sscc(found["00"] ?? "") ?? (/^\d{14}$/.test(found["01"] ?? "") && fits(found["01"]) ? serial((found["21"] ?? "").slice(0, 12)) : null);

  /** Return {key, kind, shown} of a text, or null for what cannot be read here. */
  const read = (text) => {
    let body = text.trim();
    if (/^\][A-Za-z]\d/.test(body)) body = body.slice(3);
    const link = /^(?:https?:\/\/[^/\s]+)?\/(00|01)\/(\d+)(?:\/21\/([^/?#\s]+))?/i.exec(body);
    if (link) return of({ [link[1]]: link[2], 21: link[3] });
    if (body.startsWith("(")) return of(Object.fromEntries([...body.matchAll(/\((\d{2,4})\)([^(]*)/g)].map((part) => [part[1], part[2].trim()])));
    body = body.replace(/<GS>|\{GS\}|<FNC1>|\u241d/g, "\x1d");
    const plain = body.replace(/[\s-]/g, "");
    return sscc(plain) ?? (/^\x1d?(00\d{18}|01\d{14}21)/.test(body) ? of(elements(body)) : serial(plain));
  };
  return { read };
})();
