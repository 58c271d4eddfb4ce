// 进度：上传 → 识别 → 核对 → 建议，真的上传了多少，和已经过去的秒数。

import { element } from "./dom.js";
import { t } from "./language.js";

const SLOW_AFTER_SECONDS = 30;
const WORDS = [t("正在上传照片…"), t("正在读单子上的字…"), t("正在逐项对照参考范围…"), t("结果已经出来，正在写建议…")];

const panel = element("progress");
const steps = [...panel.querySelectorAll("li")];
const upload = element("upload-progress");
let timer = null;
let current = 0;
let isSlow = false;
let pages = ""; // 几页的报告，读到第几页

export function startProgress() {
  clearInterval(timer);
  isSlow = false;
  pages = "";
  const started = performance.now();
  const tick = () => {
    const seconds = Math.floor((performance.now() - started) / 1000);
    element("elapsed").textContent = t`${seconds} 秒`;
    if (seconds < SLOW_AFTER_SECONDS || isSlow) return;
    isSlow = true;
    say();
  };
  timer = setInterval(tick, 1000);
  tick();
  panel.hidden = false;
  setUploaded(0);
  setStep(0);
}

/** part 是 0 到 1。传完而服务器还没有开口，算在识别里。 */
export function setUploaded(part) {
  upload.value = part;
  if (part === 1 && current === 0) setStep(1);
}

/** 几页里读完了几页。 */
export function setPages(read, count) {
  if (count > 1) pages = read < count ? t`第 ${read} 页读完了，在读第 ${read + 1} 页，共 ${count} 页…` : t`${count} 页都读完了。`;
  say();
}

export function setStep(index) {
  current = index;
  steps.forEach((step, i) => {
    step.dataset.state = i < current ? "done" : i === current ? "current" : "waiting";
    if (i === current) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
  upload.hidden = current > 0;
  say();
}

function say() {
  element("progress-text").textContent = ((current === 1 && pages) || WORDS[current]) + (isSlow ? t("比平时久，可以继续等，也可以取消。") : "");
}

export function endProgress() {
  clearInterval(timer);
  panel.hidden = true;
}
