(() => {
  const get = (id) => document.getElementById(id), card = get("win"), button = get("reveal"), result = get("result");
  const key = "scratched:" + card.dataset.no;
  try { if (localStorage[key]) return; } catch {}
  const canvas = document.createElement("canvas"), paint = canvas.getContext("2d"), dots = new Set();
  const wide = canvas.width = card.clientWidth * 2, high = canvas.height = card.clientHeight * 2;
  const shine = paint.createLinearGradient(0, 0, wide, high);
  ["#d9b66a", "#f3dfa8", "#c99f4d", "#ecd394", "#b98d3c"].forEach((tone, n) => shine.addColorStop(n / 4, tone));
  paint.fillStyle = shine;
  paint.fillRect(0, 0, wide, high);
  paint.strokeStyle = "#fff6";
  for (let line = -13; line < 13; line++) {
    paint.beginPath();
    for (let x = 0; x <= wide; x += 12) paint.lineTo(x, high / 2 + line * 24 + Math.sin(x / 52 + line / 3) * 18);
    paint.stroke();
  }
  paint.fillStyle = "#4a2f08";
  paint.font = "600 40px sans-serif";
  paint.textAlign = "center";
  paint.fillText(card.dataset.cover, wide / 2, high / 2 + 14, wide - 32);
  paint.globalCompositeOperation = "destination-out";
  paint.lineWidth = 72;
  paint.lineCap = paint.lineJoin = "round";
  const place = (event) => [event.offsetX / card.clientWidth * wide, event.offsetY / card.clientHeight * high];
  const reveal = () => {
    result.inert = false;
    canvas.className = "gone";
    button.hidden = true;
    get("told").textContent = result.innerText;
    try { localStorage[key] = 1; } catch {}
  };
  let last;
  canvas.onpointerdown = (event) => { last = place(event); canvas.setPointerCapture(event.pointerId); };
  canvas.onpointerup = canvas.onpointercancel = () => { last = null; };
  canvas.onpointermove = (event) => {
    if (!last) return;
    paint.beginPath();
    paint.moveTo(...last);
    paint.lineTo(...last = place(event));
    paint.stroke();
    if (dots.add((last[0] / wide * 6 | 0) + "," + (last[1] / high * 4 | 0)).size > 12) reveal();
  };
  result.inert = true;
  button.hidden = false;
  button.onclick = reveal;
  card.append(canvas);
})();
