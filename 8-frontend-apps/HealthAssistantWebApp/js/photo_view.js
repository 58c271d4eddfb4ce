// 结果旁边的照片：一页一张；每一行在哪里、圈出一行、剪出一行放大、点照片找到那一行。
import { element, make } from "./dom.js";
import { t } from "./language.js";
import { draw } from "./upload.js";

const pane = element("photo-pane");
const photo = element("photo");
const layer = element("boxes");
const pager = element("photo-pages");

let pictures = new Map(); // 页码 -> {blob, width, height, turns, rows}；浏览器显示不了的页不在里面
let items = [];
let shown = null; // 眼前的一页，pictures 里的一个
let wanted = 0; // 要看的页码；解开照片要一会儿，中间可能又换了
let active = -1; // 圈着的一行

/** 第 number 页的样子：真正上传的那一份（服务器给的坐标是它的像素），或服务器画的 PDF。 */
export async function setPicture(number, blob) {
  const mine = pictures;
  const bitmap = await createImageBitmap(blob).catch(() => null);
  if (!bitmap || mine !== pictures) return bitmap?.close(); // 显示不了这种格式，结果照样能看；或已经换了一份
  pictures.set(number, { blob, number, width: bitmap.width, height: bitmap.height, turns: 0, rows: [] });
  if (number === wanted || pictures.size === 1) {
    wanted = number;
    paint(pictures.get(number), bitmap);
  }
  bitmap.close();
}

export function clearPhoto() {
  pictures = new Map();
  [items, shown, wanted, active] = [[], null, 0, -1];
  pane.hidden = true;
  photo.width = photo.height = 0;
  layer.replaceChildren();
}

/** 各行在各页的哪里。照片是转着拍的，显示时转正。 */
export function showBoxes(newItems) {
  items = newItems;
  for (const picture of pictures.values()) {
    const located = items.flatMap((item, index) => (item.boxes.row && (item.page ?? 1) === picture.number ? [{ index, box: item.boxes.row }] : []));
    const turns = turnsToUpright(located.map(({ box }) => box));
    if (picture === shown && turns !== picture.turns) shown = null; // 眼前画着的方向不对了
    picture.turns = turns;
    picture.rows = located.map(({ index, box }) => ({ index, box: turnBox(box, picture) }));
  }
  if (shown) layOut();
  else if (wanted) show(wanted);
}

async function show(number) {
  const picture = pictures.get(number);
  if (!picture) return;
  wanted = number;
  const bitmap = await createImageBitmap(picture.blob);
  if (wanted === number && pictures.get(number) === picture) paint(picture, bitmap);
  bitmap.close();
}

function paint(picture, bitmap) {
  draw(photo, bitmap, picture.turns);
  shown = picture;
  pane.hidden = false;
  layOut();
}

const pageNumbers = () => [...pictures.keys()].sort((a, b) => a - b);

function layOut() {
  const { number, rows } = shown;
  element("photo-hint").hidden = rows.length === 0;
  const numbers = pageNumbers();
  pager.hidden = numbers.length < 2;
  element("photo-page").textContent = t`第 ${number} 页`;
  element("previous-page").disabled = number === numbers[0];
  element("next-page").disabled = number === numbers.at(-1);
  layer.replaceChildren(...rows.map(({ index, box }) => {
    const outline = make("div", "box");
    outline.dataset.index = index;
    outline.dataset.flag = items[index].flag;
    place(outline, box);
    return outline;
  }));
  markActive();
}

/** 照片上的文字要顺时针转几个 90° 才正：看一行是横是竖，各行是往哪边排下去的。 */
function turnsToUpright(boxes) {
  if (boxes.length < 2) return 0;
  const [first, last] = [boxes[0], boxes.at(-1)];
  const lying = boxes.filter(([x0, y0, x1, y1]) => x1 - x0 > y1 - y0).length * 2 >= boxes.length;
  if (lying) return last[1] < first[1] ? 2 : 0;
  return last[0] < first[0] ? 3 : 1;
}

function turnBox([x0, y0, x1, y1], { width, height, turns }) {
  return [
    [x0, y0, x1, y1],
    [height - y1, x0, height - y0, x1],
    [width - x1, height - y1, width - x0, height - y0],
    [y0, width - x1, y1, width - x0],
  ][turns];
}

const turnedWidth = ({ width, height, turns }) => (turns % 2 ? height : width);
const turnedHeight = ({ width, height, turns }) => (turns % 2 ? width : height);

// 百分比，所以照片缩放时框跟着走
function place(outline, [x0, y0, x1, y1]) {
  const margin = (y1 - y0) * 0.1;
  const percent = (part, whole) => `${(part / whole) * 100}%`;
  const [width, height] = [turnedWidth(shown), turnedHeight(shown)];
  outline.style.left = percent(x0 - margin, width);
  outline.style.top = percent(y0 - margin, height);
  outline.style.width = percent(x1 - x0 + 2 * margin, width);
  outline.style.height = percent(y1 - y0 + 2 * margin, height);
}

function markActive() {
  for (const outline of layer.children) outline.toggleAttribute("data-active", Number(outline.dataset.index) === active);
}

function find(index) {
  for (const picture of pictures.values()) {
    const row = picture.rows.find((one) => one.index === index);
    if (row) return { picture, box: row.box };
  }
  return null;
}

/** 圈出第 index 行，在别的页上的先换到那一页；这一行没有位置时什么也不圈。 */
export function highlight(index) {
  active = index;
  const found = find(index);
  if (found && found.picture.number !== wanted) show(found.picture.number);
  else markActive();
}

/** 照片上的第 index 行，连上下各半行，剪成放大的小图；没有照片或位置时返回 null。有几页的，dataset.page 是页码。 */
export function cropOf(index) {
  const found = find(index);
  if (!found) return null;
  const { picture, box: [x0, y0, x1, y1] } = found;
  const height = y1 - y0;
  const [left, top] = [Math.max(0, x0 - height), Math.max(0, y0 - height * 0.7)];
  const [right, bottom] = [Math.min(turnedWidth(picture), x1 + height), Math.min(turnedHeight(picture), y1 + height * 0.7)];
  const canvas = make("canvas");
  canvas.width = right - left;
  canvas.height = bottom - top;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", t("照片上的这一行"));
  if (pictures.size > 1) canvas.dataset.page = picture.number;
  const cut = (source) => {
    const context = canvas.getContext("2d");
    context.drawImage(source, -left, -top, turnedWidth(picture), turnedHeight(picture));
    context.strokeStyle = "#0b7a84";
    context.lineWidth = Math.max(2, height / 16);
    context.strokeRect(x0 - left - 3, y0 - top - 2, x1 - x0 + 6, height + 4);
  };
  if (picture === shown) cut(photo);
  else createImageBitmap(picture.blob).then((bitmap) => cut(draw(make("canvas"), bitmap, picture.turns)));
  return canvas;
}

export const scrollToPhoto = () => pane.scrollIntoView({ block: "start" });

/** 点照片：onPick 收到离手指最近的那一行的序号。 */
export function onPhotoPick(onPick) {
  layer.addEventListener("click", ({ clientX, clientY }) => {
    const { left, top, width } = layer.getBoundingClientRect();
    const scale = shown ? turnedWidth(shown) / width : 1;
    const [x, y] = [(clientX - left) * scale, (clientY - top) * scale];
    const distance = ({ box: [x0, y0, x1, y1] }) => Math.hypot(
      Math.max(x0 - x, 0, x - x1), Math.max(y0 - y, 0, y - y1),
    );
    const rows = shown?.rows ?? [];
    const nearest = rows.reduce((best, row) => (distance(row) < distance(best) ? row : best), rows[0]);
    if (nearest) onPick(nearest.index);
  });
}

function turnPage(step) {
  const numbers = pageNumbers();
  show(numbers[numbers.indexOf(wanted) + step]);
}

element("previous-page").addEventListener("click", () => turnPage(-1));
element("next-page").addEventListener("click", () => turnPage(1));
