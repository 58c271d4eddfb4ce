// 照片在上传之前：摆正、转、裁、缩小。重新画过的图里没有 EXIF（拍摄地点、手机型号）。

/** 量过的：长边 2000 像素时，24 张真实化验单读出的各行与原图相同；见阶段 8 的 README。 */
const LONGEST_SIDE = 2000;
const MAX_BYTES = 600_000;
const QUALITIES = [0.85, 0.75, 0.65, 0.5];
const SERVER_TYPES = ["image/jpeg", "image/png", "image/webp"];
const HEAD_BYTES = 128 * 1024;
/** 高是宽的四倍以上是长截图：服务器一段段地读，所以不缩到 2000，只限宽与像素（iPhone 的画布至多 1670 万）。 */
const LONG = { aspect: 4, width: 1290, pixels: 16_000_000 };
const METADATA = /exif|xap\/1\.0|photoshop/i;

export const WHOLE = [0, 0, 1, 1];

/** 解开图片，按 EXIF 摆正；浏览器不认的格式（如电脑上的 HEIC）会抛错。旧的浏览器不认 from-image，不写也照样摆正。 */
export function decode(file) {
  return createImageBitmap(file, { imageOrientation: "from-image" }).catch(() => createImageBitmap(file));
}

/** 上传时缩成几分之几；不用缩的为 1。 */
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
export async function isReady(file, [width, height]) {
  if (file.size > mostBytes(width, height) || !SERVER_TYPES.includes(file.type)) return false;
  if (scaleFor(width, height) < 1) return false;
  const head = await file.slice(0, HEAD_BYTES).arrayBuffer();
  return !METADATA.test(new TextDecoder("latin1").decode(head));
}

/** 画布 -> 600 KB 以内（长截图一屏 600 KB）的 JPEG；细节多的照片压得多一些。 */
export async function toJpeg(canvas) {
  let jpeg;
  for (const quality of QUALITIES) {
    jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
    if (jpeg.size <= mostBytes(canvas.width, canvas.height)) break;
  }
  return jpeg;
}
