// 进度：上传 → 读图 → 判断 → 建议，和已经过去的秒数。

const SLOW_AFTER_SECONDS = 30;
const STEPS = [
  "正在上传照片…",
  "正在读单子上的字…",
  "正在逐项对照参考范围…",
  "结果已经出来，正在写建议…",
];

const panel = document.getElementById("progress");
const steps = [...panel.querySelectorAll("li")];
const text = document.getElementById("progress-text");
const elapsed = document.getElementById("elapsed");
let timer = null;
let current = 0;
let isSlow = false;

export function startProgress() {
  clearInterval(timer);
  isSlow = false;
  const started = performance.now();
  const tick = () => {
    const seconds = Math.floor((performance.now() - started) / 1000);
    elapsed.textContent = `${seconds} 秒`;
    if (seconds < SLOW_AFTER_SECONDS || isSlow) return;
    isSlow = true;
    say();
  };
  timer = setInterval(tick, 1000);
  tick();
  panel.hidden = false;
  setStep(0);
}

export function setStep(index) {
  current = index;
  steps.forEach((step, i) => {
    step.dataset.state = i < current ? "done" : i === current ? "current" : "waiting";
    if (i === current) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  });
  say();
}

function say() {
  text.textContent = STEPS[current] + (isSlow ? "比平时久，可以继续等，也可以取消。" : "");
}

export function endProgress() {
  clearInterval(timer);
  panel.hidden = true;
}
