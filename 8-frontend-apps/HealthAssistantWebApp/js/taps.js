// 手抖连点两下，第二下不算：第一下换了屏、换了一行，第二下就落在刚换上来的按钮上，那不是人要按的。

const TWICE_MS = 400;
const NEAR_PIXELS = 24;
/** 同一个按钮按两下，有的是真的要两下（转、挪）；这些从来不是。 */
const ONCE = "#remove-button, #print-button, #share-button";
let last = { at: -TWICE_MS };

document.addEventListener("click", (event) => {
  if (!event.isTrusted || event.detail === 0) return; // 键盘按的，程序点的
  const { timeStamp: at, clientX: x, clientY: y } = event;
  const control = event.target.closest("button, label, summary");
  const isSecond = at - last.at < TWICE_MS && Math.hypot(x - last.x, y - last.y) < NEAR_PIXELS;
  if (isSecond && control && (control !== last.control || control.matches(ONCE))) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  last = { at, x, y, control };
}, true);
