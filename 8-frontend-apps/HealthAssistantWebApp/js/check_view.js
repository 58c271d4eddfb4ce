// 上传前看一眼：转 90°、拖四个角裁剪。裁剪框的坐标是 0 到 1，所以照片怎样缩放都对得上。

import { element } from "./dom.js";
import { WHOLE, draw, isReady, toJpeg } from "./photo.js";

const SMALLEST = 0.1;
const KEY_STEP = 0.02;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const area = element("crop-area");
const frame = element("crop-frame");
const canvas = element("check-canvas");
let file = null;
let bitmap = null;
let turns = 0;
let crop = [...WHOLE];

export function openCheck(newFile, newBitmap) {
  file = newFile;
  bitmap = newBitmap;
  turns = 0;
  crop = [...WHOLE];
  drawPreview();
}

/** 要上传的那一份：转好、裁好、缩小。没有裁过的，眼前画着的就是。 */
export async function checkedPhoto() {
  const isWhole = crop.every((part, i) => part === WHOLE[i]);
  if (isWhole && turns === 0 && await isReady(file, bitmap)) return file;
  return toJpeg(isWhole ? canvas : draw(document.createElement("canvas"), bitmap, turns, crop));
}

export function closeCheck() {
  bitmap?.close();
  file = bitmap = null;
  canvas.width = canvas.height = 0; // 手机上内存紧，早些还回去
}

function drawPreview() {
  draw(canvas, bitmap, turns);
  area.style.setProperty("--ratio", canvas.width / canvas.height);
  placeFrame();
}

function placeFrame() {
  const [x0, y0, x1, y1] = crop.map((part) => `${part * 100}%`);
  frame.style.inset = `${y0} calc(100% - ${x1}) calc(100% - ${y1}) ${x0}`;
  for (const handle of area.querySelectorAll(".handle")) {
    const [x, y] = corner(handle);
    handle.style.left = `${crop[x] * 100}%`;
    handle.style.top = `${crop[y] * 100}%`;
  }
}

// 把手管的是 crop 里的哪两个数
function corner(handle) {
  return handle.dataset.corner.split(" ").map(Number);
}

function moveCorner(handle, newX, newY) {
  const [x, y] = corner(handle);
  crop[x] = x === 0 ? clamp(newX, 0, crop[2] - SMALLEST) : clamp(newX, crop[0] + SMALLEST, 1);
  crop[y] = y === 1 ? clamp(newY, 0, crop[3] - SMALLEST) : clamp(newY, crop[1] + SMALLEST, 1);
  placeFrame();
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

for (const handle of area.querySelectorAll(".handle")) {
  handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
  handle.addEventListener("pointermove", (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const { left, top, width, height } = area.getBoundingClientRect();
    moveCorner(handle, (event.clientX - left) / width, (event.clientY - top) / height);
  });
  handle.addEventListener("keydown", (event) => {
    const [right, down] = KEYS[event.key] ?? [];
    if (right === undefined) return;
    event.preventDefault(); // 不让页面跟着滚
    const [x, y] = corner(handle);
    moveCorner(handle, crop[x] + right * KEY_STEP, crop[y] + down * KEY_STEP);
  });
}

element("turn-button").addEventListener("click", () => {
  turns = (turns + 1) % 4;
  const [x0, y0, x1, y1] = crop;
  crop = [1 - y1, x0, 1 - y0, x1]; // 裁剪框跟着照片转
  drawPreview();
});
