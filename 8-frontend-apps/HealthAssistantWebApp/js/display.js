// 大字与深色。记住的只有这两个开关。

import { element } from "./dom.js";

const root = document.documentElement;
const systemDark = matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  return root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches;
}

function show() {
  element("text-button").setAttribute("aria-pressed", root.dataset.text === "large");
  element("theme-button").setAttribute("aria-pressed", isDark());
}

function set(name, value) {
  root.dataset[name] = value;
  localStorage.setItem(name, value);
  show();
}

for (const name of ["text", "theme"]) {
  const saved = localStorage.getItem(name);
  if (saved) root.dataset[name] = saved;
}
element("text-button").addEventListener("click", () => set("text", root.dataset.text === "large" ? "normal" : "large"));
element("theme-button").addEventListener("click", () => set("theme", isDark() ? "light" : "dark"));
systemDark.addEventListener("change", show);
show();
