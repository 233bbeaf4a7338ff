// Translates pictures in this page by an ONNX file that `export.py` wrote.
// ?model=a_to_b.onnx names the file, ?side=512 the longest side that is not scaled down.
import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";

const asked = new URLSearchParams(location.search);
const MODEL = asked.get("model") ?? "model.onnx";
const LONGEST_SIDE = Number(asked.get("side") ?? 512);
const LEAST_SIDE = 16;
const [file, camera, take, save, status, video, given, translated] = [
  "file", "camera", "take", "save", "status", "video", "given", "translated",
].map((id) => document.getElementById(id));

// Memory is shared between threads only in pages that are isolated from others.
ort.env.wasm.numThreads = crossOriginIsolated ? navigator.hardwareConcurrency : 1;
const threads = ort.env.wasm.numThreads;
const inWords = threads > 1
  ? `${threads} threads`
  : "one thread: this page is not cross-origin isolated, or the machine has one core";

let session;
try {
  session = await ort.InferenceSession.create(MODEL);
  for (const element of [file, camera]) element.disabled = false;
  status.textContent = `Ready, ${inWords}.`;
} catch (error) {
  status.textContent = `${MODEL} cannot be loaded (${error.message}).`;
}

file.onchange = () => attempt(async () => {
  // As the file's pixels are: turned by EXIF, with no profile applied.
  const picture = await createImageBitmap(file.files[0], { colorSpaceConversion: "none" });
  await translate(picture, picture.width, picture.height);
});

camera.onclick = () => attempt(async () => {
  video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
  video.hidden = take.hidden = false;
});

take.onclick = () => attempt(async () => {
  await translate(video, video.videoWidth, video.videoHeight);
  for (const track of video.srcObject.getTracks()) track.stop();
  video.hidden = take.hidden = true;
});

async function attempt(action) {
  try {
    await action();
  } catch (error) {
    status.textContent = `It did not work (${error.message}).`;
  }
}

async function translate(picture, width, height) {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(width, height));
  [width, height] = [width, height].map((side) => Math.round(side * scale));
  if (Math.min(width, height) < LEAST_SIDE) throw new Error(`a side is below ${LEAST_SIDE} px`);
  Object.assign(given, { width, height });
  const context = given.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // behind transparency
  context.fillRect(0, 0, width, height);
  context.drawImage(picture, 0, 0, width, height);
  status.textContent = `Translating ${width}×${height} pixels with ${inWords}…`;
  await new Promise((next) => setTimeout(next)); // show it first

  const begin = performance.now();
  const rgb = withoutAlpha(context.getImageData(0, 0, width, height).data);
  const images = new ort.Tensor("uint8", rgb, [1, height, width, 3]);
  const outputs = await session.run({ images });
  show(outputs.translated.data, width, height);
  const seconds = ((performance.now() - begin) / 1000).toFixed(2);
  status.textContent = `Translated ${width}×${height} pixels in ${seconds} s, ${inWords}.`;
}

function withoutAlpha(rgba) {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    rgb.set(rgba.subarray(from, from + 3), to);
  }
  return rgb;
}

function show(rgb, width, height) {
  const pixels = new ImageData(width, height);
  pixels.data.fill(255);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    pixels.data.set(rgb.subarray(from, from + 3), to);
  }
  Object.assign(translated, { width, height });
  translated.getContext("2d").putImageData(pixels, 0, 0);
  translated.toBlob((blob) => {
    URL.revokeObjectURL(save.href);
    save.href = URL.createObjectURL(blob);
    save.hidden = false;
  });
}
