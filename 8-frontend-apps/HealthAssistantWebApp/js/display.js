// 大字与深色。记住的只有这两个开关。
import { element } from "./dom.js";

const SWITCHES = ["text", "theme"];
let storage = null;
try {
  storage = localStorage;
} catch {
  // 浏览器不许网页存东西：这次照样能用，只是记不住
}

const root = document.documentElement;
const systemDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches;
}

function show() {
  element("dark").media = root.dataset.theme ? (isDark() ? "screen" : "not all") : "screen and (prefers-color-scheme: dark)";
  element("text-button").setAttribute("aria-pressed", root.dataset.text === "large");
  element("theme-button").setAttribute("aria-pressed", isDark());
}

function set(name, value) {
  root.dataset[name] = value;
  storage?.setItem(name, value);
  show();
}

/** 两个开关也不再记着；眼前的不变。 */
export function forgetDisplay() {
  for (const name of SWITCHES) storage?.removeItem(name);
}

for (const name of SWITCHES) {
  const saved = storage?.getItem(name);
  if (saved) root.dataset[name] = saved;
}
element("text-button").addEventListener("click", () => set("text", root.dataset.text === "large" ? "normal" : "large"));
element("theme-button").addEventListener("click", () => set("theme", isDark() ? "light" : "dark"));
systemDark.addEventListener("change", show);
show();
