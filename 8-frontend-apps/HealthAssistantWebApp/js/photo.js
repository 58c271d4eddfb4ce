// 照片：上传前的处理、预览、圈出一行、剪出一行。

const SERVER_TYPES = ["image/jpeg", "image/png", "image/webp"];
const RE_ENCODE_OVER_BYTES = 4 * 1024 * 1024;
const LONGEST_SIDE = 3000;
const JPEG_QUALITY = 0.9;

const preview = document.getElementById("preview");
const image = document.getElementById("photo");
const highlight = document.getElementById("highlight");

/** 太大的、服务器不认而浏览器认得的（如 HEIC）转成 JPEG；其余原样上传，不损失一个像素。 */
export async function prepareUpload(file) {
  if (SERVER_TYPES.includes(file.type) && file.size <= RE_ENCODE_OVER_BYTES) return file;
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  } catch {
    return file; // 浏览器也解不开，交给服务器说明原因
  }
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(bitmap.width * scale);
  canvas.height = Math.round(bitmap.height * scale);
  const context = canvas.getContext("2d");
  context.fillStyle = "white"; // JPEG 没有透明，透明处当作白纸
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
  return jpeg ?? file;
}

/** 显示真正上传的那一份：服务器给的坐标是它的像素。 */
export function showPreview(blob) {
  clearPreview();
  image.src = URL.createObjectURL(blob);
}

export function clearPreview() {
  if (image.src) URL.revokeObjectURL(image.src);
  image.removeAttribute("src");
  preview.hidden = true;
  hideHighlight();
}

image.addEventListener("load", () => { preview.hidden = false; });
image.addEventListener("error", () => { preview.hidden = true; });

export function showHighlight(box) {
  const [x0, y0, x1, y1] = withMargin(box);
  // 百分比，所以照片缩放时框跟着走
  highlight.style.left = `${(x0 / image.naturalWidth) * 100}%`;
  highlight.style.top = `${(y0 / image.naturalHeight) * 100}%`;
  highlight.style.width = `${((x1 - x0) / image.naturalWidth) * 100}%`;
  highlight.style.height = `${((y1 - y0) / image.naturalHeight) * 100}%`;
  highlight.hidden = false;
}

export function hideHighlight() {
  highlight.hidden = true;
}

/** 把照片上的一行剪成一小张图，放在文字旁边对照；照片显示不了时返回 null。 */
export function cropOf(box) {
  if (!image.naturalWidth) return null;
  const [x0, y0, x1, y1] = withMargin(box);
  const canvas = document.createElement("canvas");
  canvas.width = x1 - x0;
  canvas.height = y1 - y0;
  canvas.getContext("2d").drawImage(image, x0, y0, x1 - x0, y1 - y0, 0, 0, x1 - x0, y1 - y0);
  return canvas;
}

function withMargin([x0, y0, x1, y1]) {
  const margin = Math.round((y1 - y0) * 0.08);
  return [
    Math.max(0, x0 - margin), Math.max(0, y0 - margin),
    Math.min(image.naturalWidth, x1 + margin), Math.min(image.naturalHeight, y1 + margin),
  ];
}
