// 一份报告的各页，上传之前：加、挪、拿掉；选中的一页可以转、裁。照片不解开放着，轮到哪张解哪张：手机上内存紧。

import { closeCheck, editedJpeg, openCheck } from "./check_view.js";
import { element, make } from "./dom.js";
import { t } from "./language.js";
import { decode, draw, isReady, WHOLE } from "./photo.js";

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
  if (files.length > MAX_PAGES - first) say(t`一份报告最多 ${MAX_PAGES} 页，多的没有加。`);
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

/** 都不要了。 */
export function clearPages() {
  pages = [];
  closeCheck();
  list.replaceChildren();
}

/** 要上传的各页，按次序：转好、裁好、缩小的照片，和原样的 PDF。 */
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

const say = (words) => { element("page-words").textContent = words; };

element("earlier-button").addEventListener("click", () => move(-1));
element("later-button").addEventListener("click", () => move(1));
element("remove-button").addEventListener("click", remove);
