// Reading codes from a camera: by the browser where it can, else by zxing-wasm, which is fetched only then.
"use strict";
window.Camera = (() => {
  const script = (src) => new Promise((resolve, reject) => {
    const element = Object.assign(document.createElement("script"), { src, onload: resolve, onerror: reject });
    document.head.append(element);
  });

  /** Return a function (video) → texts of the codes in it. `reader` and `wasm` are the addresses of zxing-wasm. */
  const detector = async (reader, wasm) => {
    const formats = ["qr_code", "data_matrix", "code_128"];
    const known = await self.BarcodeDetector?.getSupportedFormats().catch(() => []);
    if (formats.every((format) => known?.includes(format))) {
      const native = new BarcodeDetector({ formats });
      return async (source) => (await native.detect(source)).map((found) => found.rawValue);
    }
    self.ZXingWASM ?? await script(reader);
    await ZXingWASM.prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });
    const canvas = document.createElement("canvas"), pen = canvas.getContext("2d", { willReadFrequently: true });
    return async (source) => {
      const scale = Math.min(1, 960 / source.videoWidth);
      canvas.width = source.videoWidth * scale;
      canvas.height = source.videoHeight * scale;
      pen.drawImage(source, 0, 0, canvas.width, canvas.height);
      const found = await ZXingWASM.readBarcodes(pen.getImageData(0, 0, canvas.width, canvas.height), { formats: ["QRCode", "DataMatrix", "Code128"], textMode: "Plain", maxNumberOfSymbols: 4 });
      return found.filter((symbol) => symbol.isValid).map((symbol) => symbol.text);
    };
  };
  return { detector };
})();
