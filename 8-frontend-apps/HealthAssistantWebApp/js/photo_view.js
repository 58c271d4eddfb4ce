// 结果旁边的照片：每一行在哪里、圈出一行、剪出一行放大、点照片找到那一行。

import { element, make } from "./dom.js";
import { draw } from "./photo.js";

const pane = element("photo-pane");
const photo = element("photo");
const layer = element("boxes");
let original = null; // 上传的那一份，ImageBitmap
let turned = 0; // photo 画的是它顺时针转了几个 90°
let rows = []; // [{index, box}]，box 是 photo 的像素 [左, 上, 右, 下]

/** 显示真正上传的那一份：服务器给的坐标是它的像素。 */
export async function showPhoto(blob) {
  clearPhoto();
  try {
    original = await createImageBitmap(blob);
  } catch {
    return; // 浏览器显示不了这种格式，结果照样能看
  }
  paint(0);
  pane.hidden = false;
}

export function clearPhoto() {
  original?.close();
  original = null;
  pane.hidden = true;
  photo.width = photo.height = 0;
  showBoxes([]);
}

function paint(turns) {
  draw(photo, original, turns);
  turned = turns;
}

/** 各行的框。照片是转着拍的，先把它转正。 */
export function showBoxes(items) {
  const located = items.flatMap((item, index) => (original && item.boxes.row ? [{ index, box: item.boxes.row }] : []));
  const turns = turnsToUpright(located.map(({ box }) => box));
  if (original && turns !== turned) paint(turns);
  rows = located.map(({ index, box }) => ({ index, box: turnBox(box, turns) }));
  element("photo-hint").hidden = rows.length === 0;
  layer.replaceChildren(...rows.map(({ index, box }) => {
    const outline = make("div", "box");
    outline.dataset.index = index;
    outline.dataset.flag = items[index].flag;
    place(outline, box);
    return outline;
  }));
}

/** 照片上的文字要顺时针转几个 90° 才正：看一行是横是竖，各行是往哪边排下去的。 */
function turnsToUpright(boxes) {
  if (boxes.length < 2) return 0;
  const [first, last] = [boxes[0], boxes.at(-1)];
  const lying = boxes.filter(([x0, y0, x1, y1]) => x1 - x0 > y1 - y0).length * 2 >= boxes.length;
  if (lying) return last[1] < first[1] ? 2 : 0;
  return last[0] < first[0] ? 3 : 1;
}

function turnBox([x0, y0, x1, y1], turns) {
  const { width, height } = original;
  return [
    [x0, y0, x1, y1],
    [height - y1, x0, height - y0, x1],
    [width - x1, height - y1, width - x0, height - y0],
    [y0, width - x1, y1, width - x0],
  ][turns];
}

// 百分比，所以照片缩放时框跟着走
function place(outline, [x0, y0, x1, y1]) {
  const margin = (y1 - y0) * 0.1;
  const percent = (part, whole) => `${(part / whole) * 100}%`;
  outline.style.left = percent(x0 - margin, photo.width);
  outline.style.top = percent(y0 - margin, photo.height);
  outline.style.width = percent(x1 - x0 + 2 * margin, photo.width);
  outline.style.height = percent(y1 - y0 + 2 * margin, photo.height);
}

/** 圈出第 index 行；这一行没有位置时什么也不圈。 */
export function highlight(index) {
  for (const outline of layer.children) outline.toggleAttribute("data-active", Number(outline.dataset.index) === index);
}

/** 照片上的第 index 行，连上下各半行，剪成放大的小图；没有照片或位置时返回 null。 */
export function cropOf(index) {
  const box = rows.find((row) => row.index === index)?.box;
  if (!box) return null;
  const [x0, y0, x1, y1] = box;
  const height = y1 - y0;
  const [left, top] = [Math.max(0, x0 - height), Math.max(0, y0 - height * 0.7)];
  const [right, bottom] = [Math.min(photo.width, x1 + height), Math.min(photo.height, y1 + height * 0.7)];
  const canvas = make("canvas");
  canvas.width = right - left;
  canvas.height = bottom - top;
  const context = canvas.getContext("2d");
  context.drawImage(photo, -left, -top);
  context.strokeStyle = "#0b7a84";
  context.lineWidth = Math.max(2, height / 16);
  context.strokeRect(x0 - left - 3, y0 - top - 2, x1 - x0 + 6, height + 4);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", "照片上的这一行");
  return canvas;
}

export function scrollToPhoto() {
  pane.scrollIntoView({ block: "start" });
}

/** 点照片：onPick 收到离手指最近的那一行的序号。 */
export function onPhotoPick(onPick) {
  layer.addEventListener("click", ({ clientX, clientY }) => {
    const { left, top, width } = layer.getBoundingClientRect();
    const scale = photo.width / width;
    const [x, y] = [(clientX - left) * scale, (clientY - top) * scale];
    const distance = ({ box: [x0, y0, x1, y1] }) => Math.hypot(
      Math.max(x0 - x, 0, x - x1), Math.max(y0 - y, 0, y - y1),
    );
    const nearest = rows.reduce((best, row) => (distance(row) < distance(best) ? row : best), rows[0]);
    if (nearest) onPick(nearest.index);
  });
}
