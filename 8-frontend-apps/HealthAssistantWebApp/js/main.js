// 入口：选照片 → 分析 → 显示；同一时刻只有一次分析，新的一次会取消旧的。

import { analyze, AnalysisError } from "./api.js";
import { clearPreview, prepareUpload, showPreview } from "./photo.js";
import { endProgress, setStep, startProgress } from "./progress.js";
import { clearReport, endAdvice, finishReport, showAdvice, showReport } from "./report_view.js";

const HINTS = {
  not_an_image: "请选一张照片（JPEG、PNG 或 WebP）。",
  unsupported_format: "请把它存成 JPEG 或 PNG 再选，或直接用手机拍一张。",
  empty_image: "这个文件是空的，请换一张照片。",
  missing_image: "请重新选一张照片。",
  image_too_large: "请选 20 MB 以内的照片。",
  image_too_many_pixels: "请用手机的普通拍照模式重拍，或先把照片缩小。",
  report_unreadable: "请把单子放平、四边拍全、光线均匀，对好焦再拍一张。",
  not_a_lab_report: "请拍一行行印着项目、结果和参考范围的检验单；影像报告、处方和病历读不了。",
  busy: "现在用的人多，等几秒再试。",
  network: "请看看网络是否连着、服务是否还开着，再试一次。",
  stream_ended: "请再试一次；再不行，换一张更清楚的照片。",
};
const OTHER_HINT = "请稍后再试；身体不适请直接就医，不要等这里的结果。";

const element = (id) => document.getElementById(id);
let current = null; // 正在进行的分析的 AbortController
let lastSource = null; // 上一张照片从哪里来，重试时再用一次

/** 分析一张照片。source 给出 File；拿不到也按分析出错处理，所以在这里才调用。 */
async function run(source) {
  current?.abort();
  const mine = (current = new AbortController());
  lastSource = source;
  let reported = false;
  openWork();
  try {
    const file = await source(mine.signal);
    const photo = await prepareUpload(file);
    mine.signal.throwIfAborted();
    showPreview(photo);
    for await (const { type, data } of analyze(photo, file.name, mine.signal)) {
      if (type === "accepted") setStep(1);
      if (type === "report") {
        reported = true;
        setStep(3);
        showReport(data);
      }
      if (type === "advice") showAdvice(data.advice_html);
      if (type === "done") finishReport(data);
    }
  } catch (error) {
    if (mine !== current) return; // 已经换了一张，旧的悄悄结束
    if (reported) endAdvice();
    if (error.name !== "AbortError") showError(error, reported);
    else if (!reported) restart();
  }
  if (mine === current) endProgress();
}

function openWork() {
  element("start").hidden = true;
  element("error").hidden = true;
  element("work").hidden = false;
  clearReport();
  clearPreview();
  startProgress();
  element("progress").focus();
}

function showError(error, reported) {
  const known = error instanceof AnalysisError;
  if (!known) console.error(error);
  element("error-title").textContent = reported ? "结果出来了，建议没有写完" : "没有读成";
  element("error-message").textContent = known ? error.message : "网页自己出了错。";
  element("error-hint").textContent = HINTS[error.code] ?? OTHER_HINT;
  element("error").hidden = false;
  element("retry-button").focus();
}

function restart() {
  current?.abort();
  current = null;
  endProgress();
  clearReport();
  clearPreview();
  element("work").hidden = true;
  element("error").hidden = true;
  element("start").hidden = false;
  scrollTo(0, 0);
  element("start-title").focus();
}

async function fetchExample(signal) {
  const path = "examples/blood-count.png";
  const response = await fetch(path, { signal }).catch((error) => {
    throw error.name === "AbortError" ? error : new AnalysisError("network", "示例化验单没有取到。");
  });
  if (!response.ok) throw new AnalysisError("http", "示例化验单没有取到。");
  return new File([await response.blob()], "blood-count.png", { type: "image/png" });
}

function runFile(file) {
  if (file) run(() => file);
}

for (const id of ["album-input", "camera-input"]) {
  element(id).addEventListener("change", ({ target }) => {
    runFile(target.files[0]);
    target.value = ""; // 再选同一张也要有反应
  });
}
element("example-button").addEventListener("click", () => run(fetchExample));
element("retry-button").addEventListener("click", () => run(lastSource));
element("cancel-button").addEventListener("click", () => current?.abort());
element("print-button").addEventListener("click", () => print());
for (const button of document.querySelectorAll(".restart")) button.addEventListener("click", restart);

document.addEventListener("paste", (event) => runFile(event.clipboardData.files[0]));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  delete document.body.dataset.dragging;
  runFile(event.dataTransfer.files[0]);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.dataset.dragging = "";
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) delete document.body.dataset.dragging;
});
