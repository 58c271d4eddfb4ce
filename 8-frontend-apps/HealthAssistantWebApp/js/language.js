// 页面说的话。中文写在代码与网页里，就是键；英文在 en.js，没有英文的照说中文，标明是中文。
const root = document.documentElement;
let words = {};
if (root.lang === "en") {
  try {
    ({ default: words } = await import("./en.js"));
  } catch {
    root.lang = "zh-CN"; // 没有取到：宁可说中文，不可不开
  }
}

export const language = root.lang === "en" ? "en" : "zh";

/** t("一句话") 或 t`有 ${数} 的话` 换成页面的语言；英文里的 {0}、{1} 是第几个数。 */
export function t(parts, ...values) {
  if (typeof parts === "string") return words[parts] ?? parts;
  const key = parts.reduce((text, part, at) => `${text}{${at - 1}}${part}`);
  return (words[key] ?? key).replace(/\{(\d)\}/g, (_, at) => values[at]);
}

// 存下的可能是另一种语言的
const URGENT = [/^(尽快就医|Seek medical care now)/, /^(请马上核对原件|Check the original at once)/, /^/];

/** 0 最急，2 不急。 */
export const urgencyOf = (notice) => URGENT.findIndex((opening) => opening.test(notice));
export const hasAlarm = (notices) => notices.some((notice) => urgencyOf(notice) < 2);

export const hasChinese = (text) => /[一-鿿]/.test(text);

/** 印着的名称；页面是英文、目录认得的，英文名在前。 */
export function fullName({ name, tracked }) {
  const english = language === "en" && tracked && !hasChinese(tracked.name) && hasChinese(name);
  return english ? `${tracked.name} (${name})` : name;
}

// ---- 网页里写着的，和英文页面里的中文 ----

function translate(node) {
  for (const name of ["aria-label", "placeholder"]) {
    if (node.getAttribute?.(name)) node.setAttribute(name, t(node.getAttribute(name)));
  }
  if (node.nodeType === Node.TEXT_NODE) node.data = node.data.replace(/\S(.*\S)?/s, (text) => t(text));
  else if (!["SCRIPT", "NOSCRIPT"].includes(node.tagName)) node.childNodes.forEach(translate);
}

/** 单子上印的、没有英文的：读屏要用中文的声音读。 */
function markChinese(node) {
  if (node.nodeType !== Node.TEXT_NODE) return node.lang === "zh-CN" ? undefined : [...node.childNodes].forEach(markChinese);
  if (!hasChinese(node.data) || !node.parentElement || node.parentElement.closest("[lang=zh-CN], option, svg, textarea")) return undefined;
  const pieces = node.data.split(/([一-鿿]+)/).filter(Boolean).map((piece) => {
    if (!hasChinese(piece)) return piece;
    const span = document.createElement("span");
    span.lang = "zh-CN";
    span.textContent = piece;
    return span;
  });
  return node.replaceWith(...pieces);
}

if (language === "en") {
  document.title = t(document.title);
  translate(document.body);
  new MutationObserver((changes) => changes.flatMap(({ addedNodes }) => [...addedNodes]).forEach(markChinese))
    .observe(document.body, { childList: true, subtree: true });
}
root.dataset.ready = "";

const button = document.getElementById("language-button");
[button.textContent, button.lang] = language === "en" ? ["中文", "zh-CN"] : ["English", "en"];
button.addEventListener("click", () => {
  try {
    localStorage.setItem("language", language === "en" ? "zh" : "en");
  } catch {
    // 记不住，就换不了
  }
  location.reload();
});
