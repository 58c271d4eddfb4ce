// 手抖连点两下，第二下不算：第一下换了屏，第二下就落在刚换上来的按钮上，那不是人要按的。
const TWICE_MS = 250;
const NEAR_PIXELS = 12;
const CONTROLS = "button, label";
/** 同一个按钮按两下，有的是真的要两下（转、挪）；这些从来不是。 */
const ONCE = "#remove-button, #print-button, #share-button";
let last = { at: -TWICE_MS };

document.addEventListener("click", (event) => {
  if (!event.isTrusted || event.detail === 0) return; // 键盘按的，程序点的
  const { timeStamp: at, clientX: x, clientY: y } = event;
  const control = event.target.closest(CONTROLS);
  const isSecond = at - last.at < TWICE_MS && Math.hypot(x - last.x, y - last.y) < NEAR_PIXELS;
  // 展开一行没有害处，不拦
  if (isSecond && control && !control.matches(".row-head") && (!last.visible.has(control) || control.matches(ONCE))) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  last = { at, x, y, visible: new Set([...document.querySelectorAll(CONTROLS)].filter((node) => node.offsetParent)) };
}, true);
