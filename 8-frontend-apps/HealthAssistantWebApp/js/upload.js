// 上传之前：照片摆正、缩小；看一眼，转 90°、拖四个角裁剪；一份报告的各页加、挪、拿掉。
import { element, make } from "./dom.js";
import { t } from "./language.js";

// ---- 一张照片：摆正、转、裁、缩小。重新画过的图里没有 EXIF（拍摄地点、手机型号） ----

/** 量过的：长边 2000 像素时，24 张真实化验单读出的各行与原图相同。 */
const LONGEST_SIDE = 2000;
const MAX_BYTES = 600_000;
const QUALITIES = [0.85, 0.75, 0.65, 0.5];
const SERVER_TYPES = ["image/jpeg", "image/png", "image/webp"];
const HEAD_BYTES = 128 * 1024;
/** 高是宽的四倍以上是长截图，不缩到 2000，只限宽与像素（iPhone 的画布至多 1670 万）。 */
const LONG = { aspect: 4, width: 1290, pixels: 16_000_000 };
const METADATA = /exif|xap\/1\.0|photoshop/i;

const WHOLE = [0, 0, 1, 1];

/** 解开图片，按 EXIF 摆正；浏览器不认的格式（如电脑上的 HEIC）会抛错；旧的浏览器不认 from-image。 */
export function decode(file) {
  return createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => createImageBitmap(file));
}

function scaleFor(width, height, longest = LONGEST_SIDE) {
  const isLong = height > LONG.aspect * width && longest === LONGEST_SIDE;
  if (isLong) return Math.min(1, LONG.width / width, Math.sqrt(LONG.pixels / (width * height)));
  return Math.min(1, longest / Math.max(width, height));
}

/** 上传至多多少字节；长截图一屏算一张。 */
const mostBytes = (width, height) => MAX_BYTES * Math.max(1, Math.ceil(height / (2 * width)));

/**
 * 在 canvas 上画出转过、裁过的一块，长边至多 longest 像素；返回 canvas。
 * turns 是顺时针转几个 90°；crop 是转过以后的 [左, 上, 右, 下]，0 到 1。
 */
export function draw(canvas, bitmap, turns, [x0, y0, x1, y1] = WHOLE, longest = LONGEST_SIDE) {
  const [width, height] = turns % 2 ? [bitmap.height, bitmap.width] : [bitmap.width, bitmap.height];
  const [cutWidth, cutHeight] = [(x1 - x0) * width, (y1 - y0) * height];
  const scale = scaleFor(cutWidth, cutHeight, longest);
  canvas.width = Math.max(1, Math.round(cutWidth * scale));
  canvas.height = Math.max(1, Math.round(cutHeight * scale));
  const context = canvas.getContext("2d", { alpha: false });
  context.fillStyle = "white"; // JPEG 没有透明，透明处当作白纸
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = "high";
  context.scale(scale, scale);
  context.translate(width / 2 - x0 * width, height / 2 - y0 * height);
  context.rotate((turns * Math.PI) / 2);
  context.drawImage(bitmap, -bitmap.width / 2, -bitmap.height / 2);
  return canvas;
}

/** 已经够小、又不带拍摄信息的（如微信转来的）：原样上传，不再压一次。 */
async function isReady(file, [width, height]) {
  if (file.size > mostBytes(width, height) || !SERVER_TYPES.includes(file.type)) return false;
  if (scaleFor(width, height) < 1) return false;
  const head = await file.slice(0, HEAD_BYTES).arrayBuffer();
  return !METADATA.test(new TextDecoder("latin1").decode(head));
}

/** 画布 -> 600 KB 以内（长截图一屏 600 KB）的 JPEG；细节多的照片压得多一些。 */
async function toJpeg(canvas) {
  let jpeg;
  for (const quality of QUALITIES) {
    jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
    if (jpeg.size <= mostBytes(canvas.width, canvas.height)) break;
  }
  return jpeg;
}

// ---- 看一眼。裁剪框的坐标是 0 到 1，所以照片怎样缩放都对得上 ----

const SMALLEST = 0.1;
const KEY_STEP = 0.02;
const KEYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const area = element("crop-area");
const stage = area.parentElement;
const frame = element("crop-frame");
const canvas = element("check-canvas");
let viewed = null; // 眼前的一页：转了几次、裁成什么样，都记在它身上
let viewedBitmap = null;

/** 打开一页；PDF 与浏览器打不开的，只说一句是什么。decoded 是刚解开的照片，不给就自己解。 */
async function openCheck(newPage, title, decoded = null) {
  closeCheck();
  viewed = newPage;
  const opened = decoded ?? (viewed.size && await decode(viewed.file));
  if (viewed !== newPage) return opened?.close(); // 又选了另一页
  viewedBitmap = opened;
  element("check-title").textContent = viewedBitmap ? t("字是正的、看得清吗？") : title;
  for (const id of ["crop-area", "crop-hint", "turn-button"]) element(id).hidden = !viewedBitmap;
  element("no-preview").hidden = Boolean(viewedBitmap);
  element("no-preview").textContent = viewedBitmap ? "" : (viewed.isPdf ? t`PDF：${viewed.file.name}。页数与内容由服务器读。` : t("浏览器打不开这个文件，交给服务器试试。"));
  if (viewedBitmap) drawPreview();
}

/** 要上传的那一份：转好、裁好、缩小。没有裁过而且就在眼前的，画着的就是。 */
async function editedJpeg(one) {
  const isWhole = one.crop.every((part, i) => part === WHOLE[i]);
  if (one === viewed && isWhole) return toJpeg(canvas);
  const own = one === viewed ? viewedBitmap : await decode(one.file);
  const drawn = draw(document.createElement("canvas"), own, one.turns, one.crop);
  if (own !== viewedBitmap) own.close();
  return toJpeg(drawn);
}

function closeCheck() {
  viewedBitmap?.close();
  viewed = viewedBitmap = null;
  canvas.width = canvas.height = 0; // 手机上内存紧，早些还回去
}

function drawPreview() {
  draw(canvas, viewedBitmap, viewed.turns);
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
  const { crop } = viewed;
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
  const { crop } = viewed;
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
    moveCorner(handle, viewed.crop[x] + right * KEY_STEP, viewed.crop[y] + down * KEY_STEP);
  });
}

element("turn-button").addEventListener("click", () => {
  viewed.turns = (viewed.turns + 1) % 4;
  const [x0, y0, x1, y1] = viewed.crop;
  viewed.crop = [1 - y1, x0, 1 - y0, x1]; // 裁剪框跟着照片转
  drawPreview();
});

// ---- 各页。照片不解开放着，轮到哪张解哪张：手机上内存紧 ----

const MAX_PAGES = 20;
const THUMB_SIDE = 128;

const list = element("page-list");
let pages = []; // {file, name, isPdf, size: 宽高或 null, thumb, turns, crop}
let selected = 0;

export const pageCount = () => pages.length;

const isPdf = (file) => file.type === "application/pdf" || /\.pdf$/i.test(file.name ?? "");

/** 加几个文件（数组），选中其中的第一个；返回浏览器打不开、又不是 PDF 的有几个。 */
export async function addPages(files) {
  const mine = pages;
  const first = pages.length;
  let unknown = 0;
  if (first === 1) drawThumb(pages[0]); // 只有一页时不画，早些给人看
  const isTooMany = files.length > MAX_PAGES - first;
  say(isTooMany ? t`一份报告最多 ${MAX_PAGES} 页，多的没有加。` : "", isTooMany);
  for (const file of files.slice(0, MAX_PAGES - first)) {
    const page = { file, isPdf: isPdf(file), size: null, thumb: null, turns: 0, crop: [...WHOLE] };
    const bitmap = page.isPdf ? null : await decode(file).catch(() => null);
    if (mine !== pages) return bitmap?.close(); // 又从头选了
    unknown += !bitmap && !page.isPdf;
    if (bitmap) page.size = [bitmap.width, bitmap.height];
    const isFirst = pages.push(page) === first + 1;
    if (isFirst) await select(first, bitmap); // 先看第一张，别的接着解
    if (bitmap && !isFirst) drawThumb(page, bitmap);
    else if (bitmap && (first || files.length > 1)) drawThumb(page);
    if (!isFirst) bitmap?.close();
    showList();
  }
  return unknown;
}

/** 小图；眼前的一页不用再解，画着的就是。 */
function drawThumb(page, picture = element("check-canvas")) {
  if (page.size && !page.thumb) page.thumb = draw(make("canvas"), picture, 0, WHOLE, THUMB_SIDE);
}

export function clearPages() {
  pages = [];
  closeCheck();
  list.replaceChildren();
}

export async function checkedPages() {
  const blobs = [];
  for (const page of [...pages]) blobs.push(await ready(page));
  return blobs;
}

async function ready(page) {
  const { file, size, turns, crop } = page;
  if (!size) return file;
  const isTouched = turns || crop.some((part, i) => part !== WHOLE[i]);
  if (!isTouched && await isReady(file, size)) return file;
  return editedJpeg(page);
}

async function select(index, bitmap) {
  selected = index;
  await openCheck(pages[index], t`第 ${index + 1} 页`, bitmap);
  showList();
}

function move(step) {
  const [page] = pages.splice(selected, 1);
  selected += step;
  pages.splice(selected, 0, page);
  showList();
  say(t`移到了第 ${selected + 1} 页。`);
}

async function remove() {
  if (pages.length < 2) return;
  pages.splice(selected, 1);
  await select(Math.min(selected, pages.length - 1));
  say(t`拿掉了一页，还有 ${pages.length} 页。`);
}

function showList() {
  const several = pages.length > 1;
  list.hidden = !several;
  list.replaceChildren(...pages.map((page, index) => {
    const picture = page.thumb ?? make("span", "", page.isPdf ? "PDF" : t("？"));
    const button = make("button", "thumb", picture, make("b", "", index + 1));
    button.type = "button";
    button.setAttribute("aria-label", t`第 ${index + 1} 页${page.isPdf ? t("，PDF") : ""}`);
    if (index === selected) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => select(index));
    return make("li", "", button);
  }));
  list.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  for (const id of ["earlier-button", "later-button", "remove-button"]) element(id).hidden = !several;
  element("earlier-button").disabled = selected === 0;
  element("later-button").disabled = selected === pages.length - 1;
  for (const label of document.querySelectorAll(".add-page")) label.hidden = pages.length >= MAX_PAGES;
  const unit = pages.some((page) => page.isPdf) ? t("个文件") : t("页");
  element("read-button").textContent = several ? t`开始识别 ${pages.length} ${unit}` : t("开始识别");
}

// 挪了、拿掉了看得见，只念给读屏的人听
function say(textContent, isSeen) {
  Object.assign(element("page-words"), { textContent, className: isSeen ? "problem" : "sr-only" });
}

element("earlier-button").addEventListener("click", () => move(-1));
element("later-button").addEventListener("click", () => move(1));
element("remove-button").addEventListener("click", remove);
