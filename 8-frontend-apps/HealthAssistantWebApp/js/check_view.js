// 上传前看一眼：转 90°、拖四个角裁剪。裁剪框的坐标是 0 到 1，所以照片怎样缩放都对得上。

import { element } from "./dom.js";
import { t } from "./language.js";
import { decode, draw, toJpeg, WHOLE } from "./photo.js";

const SMALLEST = 0.1;
const KEY_STEP = 0.02;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const area = element("crop-area");
const stage = area.parentElement;
const frame = element("crop-frame");
const canvas = element("check-canvas");
let page = null; // 眼前的一页：转了几次、裁成什么样，都记在它身上
let bitmap = null;

/** 打开一页；PDF 与浏览器打不开的，只说一句是什么。decoded 是刚解开的照片，不给就自己解。 */
export async function openCheck(newPage, title, decoded = null) {
  closeCheck();
  page = newPage;
  const opened = decoded ?? (page.size && await decode(page.file));
  if (page !== newPage) return opened?.close(); // 又选了另一页
  bitmap = opened;
  element("check-title").textContent = bitmap ? t("字是正的、看得清吗？") : title;
  for (const id of ["crop-area", "crop-hint", "turn-button"]) element(id).hidden = !bitmap;
  element("no-preview").hidden = Boolean(bitmap);
  element("no-preview").textContent = bitmap ? "" : (page.isPdf ? t`PDF：${page.file.name}。页数与内容由服务器读。` : t("浏览器打不开这个文件，交给服务器试试。"));
  if (bitmap) drawPreview();
}

/** 要上传的那一份：转好、裁好、缩小。没有裁过而且就在眼前的，画着的就是。 */
export async function editedJpeg(one) {
  const isWhole = one.crop.every((part, i) => part === WHOLE[i]);
  if (one === page && isWhole) return toJpeg(canvas);
  const own = one === page ? bitmap : await decode(one.file);
  const drawn = draw(document.createElement("canvas"), own, one.turns, one.crop);
  if (own !== bitmap) own.close();
  return toJpeg(drawn);
}

export function closeCheck() {
  bitmap?.close();
  page = bitmap = null;
  canvas.width = canvas.height = 0; // 手机上内存紧，早些还回去
}

function drawPreview() {
  draw(canvas, bitmap, page.turns);
  area.style.setProperty("--ratio", canvas.width / canvas.height);
  fit();
  placeFrame();
}

// 照片放得下多大就多大；用样式表写要容器查询，旧的浏览器没有
function fit() {
  const [width, height] = [stage.clientWidth - 20, stage.clientHeight - 20];
  area.style.width = `${Math.max(0, Math.min(width, (height * canvas.width) / canvas.height))}px`;
}
new ResizeObserver(fit).observe(stage);

function placeFrame() {
  const { crop } = page;
  const [x0, y0, x1, y1] = crop.map((part) => `${part * 100}%`);
  frame.style.inset = `${y0} calc(100% - ${x1}) calc(100% - ${y1}) ${x0}`;
  for (const handle of area.querySelectorAll(".handle")) {
    const [x, y] = corner(handle);
    handle.style.left = `${crop[x] * 100}%`;
    handle.style.top = `${crop[y] * 100}%`;
  }
}

// 把手管的是 crop 里的哪两个数
const corner = (handle) => handle.dataset.corner.split(" ").map(Number);

function moveCorner(handle, newX, newY) {
  const { crop } = page;
  const [x, y] = corner(handle);
  crop[x] = x === 0 ? clamp(newX, 0, crop[2] - SMALLEST) : clamp(newX, crop[0] + SMALLEST, 1);
  crop[y] = y === 1 ? clamp(newY, 0, crop[3] - SMALLEST) : clamp(newY, crop[1] + SMALLEST, 1);
  placeFrame();
}

const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

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
    moveCorner(handle, page.crop[x] + right * KEY_STEP, page.crop[y] + down * KEY_STEP);
  });
}

element("turn-button").addEventListener("click", () => {
  page.turns = (page.turns + 1) % 4;
  const [x0, y0, x1, y1] = page.crop;
  page.crop = [1 - y1, x0, 1 - y0, x1]; // 裁剪框跟着照片转
  drawPreview();
});
