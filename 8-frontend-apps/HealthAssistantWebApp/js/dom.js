// 造页面元素、说话、收表单的小函数，和唯一一处让服务器的 HTML 进入页面的函数。
export const element = (id) => document.getElementById(id);

/** 造一个元素；children 里的文字一律作为文字，空的（""、null、false）跳过。 */
export function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter((child) => child || child === 0));
  return node;
}

export function makeButton(className, text, onClick) {
  const button = make("button", className, text);
  button.type = "button";
  button.addEventListener("click", onClick);
  return button;
}

/** 窄屏上要左右滑的一块，用键盘也滑得动。 */
export function makeScroller(className, label, child) {
  const scroller = make("div", className, child);
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "group");
  scroller.setAttribute("aria-label", label);
  return scroller;
}

/** 在 id 那里说一句。 */
export const sayIn = (id) => (words) => { element(id).textContent = words; };

/** 交了表单就做 work，不离开网页。 */
export const onSubmit = (form, work) => form.addEventListener("submit", (event) => {
  event.preventDefault();
  work();
});

const ALLOWED = new Set("H3 H4 P UL OL LI STRONG EM TABLE THEAD TBODY TR TH TD BR HR".split(" "));

/**
 * 服务器给的 HTML -> 可以放进页面的节点。服务器净化过，这里再照白名单抄一遍，一个属性也不留；
 * DOMParser 造的文档不执行脚本、不取图片。
 */
export function safeNodes(html) {
  return [...new DOMParser().parseFromString(html, "text/html").body.childNodes].flatMap(copy);
}

function copy(node) {
  if (node.nodeType === Node.TEXT_NODE) return [document.createTextNode(node.data)];
  if (node.nodeType !== Node.ELEMENT_NODE || ["SCRIPT", "STYLE"].includes(node.tagName)) return [];
  const children = [...node.childNodes].flatMap(copy);
  return ALLOWED.has(node.tagName) ? [make(node.tagName, "", ...children)] : children;
}
