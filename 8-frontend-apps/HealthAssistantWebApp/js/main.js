// 入口：选照片 → 看一眼 → 分析 → 结果。同一时刻只有一次分析，新的一次会取消旧的。
import "./double_tap.js";
import { AnalysisError, analyze, correctRow, mergeReports, reassess, rowsToSend, setAccessKey } from "./api.js";
import { offerAsking } from "./ask.js";
import { showBackup } from "./backup.js";
import { forgetDisplay } from "./display.js";
import { element, make, makeButton, onSubmit, sayIn } from "./dom.js";
import { asText, copy, saveCsv, saveFhir, share } from "./export.js";
import { clearResults, deleteResult } from "./storage.js";
import { hasChinese, language, t } from "./language.js";
import { addPages, checkedPages, clearPages, pageCount } from "./upload.js";
import { device, isKept, loadDevice, mismatchWords, offerSaving, ownerOf, setUpKeeping, showPeople } from "./people_view.js";
import { clearPhoto, onPhotoPick, setPicture, showBoxes } from "./photo_view.js";
import { clearReport, dateOf, dateWords, endAdvice, endProgress, openRow, setPages, setStep, setUploaded, showAdvice, showEngines, showOrigin, showReport, startProgress, summarize, triageWords } from "./report_view.js";
import { comparable, makePrevious, showTrends } from "./trends.js";

// 服务器的话里没有说怎么办的，在这里补上
const HINTS = {
  unsupported_format: t("请把它存成 JPEG 或 PNG 再选，或直接用手机拍一张。"),
  not_a_lab_report: t("请拍一行行印着项目、结果和参考范围的检验单；影像报告、处方和病历读不了。"),
  other_paper: t("这里只读化验单：一行行印着项目、结果和参考范围的那种，请换那一张拍。身体不适请直接就医。"),
  unsupported_language: t("身体不适请直接就医，不要等翻译。如果单子其实是中文或英文，请对好焦、光线均匀，再拍一张。"),
  need_key: t("请向开这个服务的人要访问口令，填在下面再试。"),
  network: t("请看看网络是否连着、服务是否还开着；要登录的，刷新网页看看。照片还在，不用重新选。"),
  login: t("请刷新网页，登录以后重新选照片。"),
  stream_ended: t("照片还在，不用重新选，再试一次就好。"),
  timeout: t("照片还在，不用重新选，再试一次就好。"),
};
const OTHER_HINT = t("身体不适请直接就医，不要等这里的结果。");
const CONNECTION_CODES = ["network", "stream_ended"];
const PHOTO_FAULTS = /image|pdf|pages|report|paper|unsupported/; // 这几张本身不行，再试也一样

let current = null; // 正在进行的分析的 AbortController
let lastSource = null; // 照片从哪里来，重试时再用
let failure = null; // 正显示着的错误
let who = null; // 现在读的是谁的，见 people_view.js
let shown = null; // 正显示着的结果，见 saveResult 的 record
let left = null; // 没有存就离开的结果，还打得开
let isCorrecting = false;

// ---- 选照片 ----

async function choose(files) {
  if (!files.length) return;
  leave();
  const mine = (current = new AbortController());
  const unknown = await addPages(files);
  if (mine !== current) return; // 又选了别的
  if (unknown === pageCount()) {
    run(() => files); // 浏览器解不开，服务器也许认得
    return;
  }
  showScreen("check");
  element("check-title").focus({ preventScroll: true });
}

async function fetchExample(signal) {
  const response = await fetch("examples/blood-count.png", { signal }).catch(() => null);
  signal.throwIfAborted();
  if (!response?.ok) throw new AnalysisError("network", t("示例化验单没有取到。"));
  return [await response.blob()];
}

// ---- 分析 ----

/** 分析一份报告。source 给出各个文件（Blob）；拿不到也按出错处理。 */
async function run(source) {
  leave();
  const mine = (current = new AbortController());
  const { signal } = mine;
  lastSource = source;
  const isExample = source === fetchExample; // 谁的也不是
  const about = { savedAt: Date.now(), person: who?.id, ...(isExample && { example: true }) };
  let report = null;
  let advice = "";
  showScreen("work");
  startProgress();
  element("progress").focus();
  try {
    const files = await source(signal);
    files.forEach((file, index) => (file.number ??= index + 1)); // 人看到的
    await setPicture(1, files[0]);
    signal.throwIfAborted();
    const pictures = []; // 每一页的样子都备好了，才画各行的位置
    await analyze(files, isExample ? null : who, {
      signal,
      onUpload: setUploaded,
      onEvent({ type, data }) {
        if (type === "accepted") setStep(1);
        if (type === "page") {
          setStep(1);
          setPages(data.page, data.pages);
          pictures.push(setPicture(data.page, data.preview ? fromDataUrl(data.preview) : files[data.file - 1]));
        }
        if (type === "report") {
          report = data;
          setStep(3);
          draw({ ...about, report });
          if (pictures.length) Promise.all(pictures).then(() => mine === current && showBoxes(report.items));
          element("result-title").focus({ preventScroll: true });
        }
        if (type === "advice") showAdvice((advice += data.advice_html)); // 一次来一段
        // 各行没有变，就不重画：人可能已经点开了几行
        if (type === "done") display({ ...about, ...data }, false, JSON.stringify(data.report) === JSON.stringify(report));
      },
    });
  } catch (error) {
    if (mine !== current) return; // 已经换了一张，旧的悄悄结束
    if (report) endAdvice();
    if (error.name !== "AbortError") showError(error, report);
    else if (!report) goHome();
  }
  if (mine === current) endProgress();
}

/** data:image/jpeg;base64,… -> Blob。不用 fetch：CSP 不许。 */
function fromDataUrl(url) {
  const bytes = Uint8Array.from(atob(url.split(",")[1]), (char) => char.charCodeAt(0));
  return new Blob([bytes], { type: "image/jpeg" });
}

function draw(record) {
  const { report } = record;
  const others = comparable(device.kept, record);
  showBoxes(report.items); // 先有位置，各行才剪得出小图
  showReport(report, correct, (item) => makePrevious(item, report, others));
  element("mismatch").textContent = record.example ? "" : mismatchWords(ownerOf(record), report);
  showOrigin(report, correctOrigin);
}

/** 时间、医院、标本与高低无关，改了不用重新判断。 */
function correctOrigin(origin) {
  if (!shown || isCorrecting) return say(t("建议还没有写完，或上一处还在重新判断，请等一下再填。"));
  shown = { ...shown, report: { ...shown.report, origin } };
  draw(shown); // 日子变了，“上次”也变
  offerSaving(shown, false);
  say(t("改好了，还没有存。"));
}

function display({ savedAt, person, example, copyOf, report, advice_html, engines, disclaimer }, isStored = false, isDrawn = false) {
  const corrected = report.items.filter((item) => item.corrected).length;
  shown = { savedAt, person, ...(example && { example }), ...(copyOf && { copyOf }), report, advice_html, engines, disclaimer };
  if (!isDrawn) draw(shown);
  showAdvice(advice_html);
  showEngines(engines, disclaimer, corrected);
  offerAsking(report);
  // 存下时是哪种语言写的，就照哪种显示
  const isOther = disclaimer && hasChinese(disclaimer) === (language === "en");
  element("made-in").textContent = isOther ? t("这份结果是用另一种语言写的，照原样显示。") : "";
  offerSaving(shown, isStored);
}

async function correct(index, fields) {
  if (!shown) throw new Error(t("建议还没有写完，请等一下再改。"));
  if (isCorrecting) throw new Error(t("上一处还在重新判断，请等它完成。"));
  const before = shown;
  isCorrecting = true;
  try {
    const changed = correctRow(before.report, index, fields);
    let reply = null;
    await reassess(rowsToSend(changed), { onEvent: ({ type, data }) => { if (type === "done") reply = data; } });
    if (shown !== before) return; // 已经换了一张
    const engines = { ...before.engines, advice: reply.engines.advice };
    display({ ...before, ...reply, report: mergeReports(changed, reply.report), engines });
    openRow(index);
    say(t("改好了，高低和建议已经重新判断。"));
  } finally {
    isCorrecting = false;
  }
}

function showError(error, report) {
  failure = error;
  // 只有一个不行：去掉它，别的不用重选
  const bad = error.file && lastSource()[error.file - 1].number;
  const isKnown = error instanceof AnalysisError;
  if (!isKnown) console.error(error);
  element("error-title").textContent = report ? t("结果出来了，建议没有写完") : t("没有读成");
  element("error-message").textContent = isKnown ? error.message.replace(error.file, bad) : t("网页自己出了错。");
  element("error-hint").textContent = [
    HINTS[error.code] ?? OTHER_HINT,
    error.retryAfter && t`请过 ${error.retryAfter} 秒再试。`,
    CONNECTION_CODES.includes(error.code) && !navigator.onLine && t("连上网以后会自动再试。"),
  ].filter(Boolean).join("");
  element("key-form").hidden = error.code !== "need_key";
  const isLost = !bad && PHOTO_FAULTS.test(error.code);
  element("retry-button").hidden = isLost;
  element("retry-button").textContent = bad ? t`去掉第 ${bad} 个，读其余的` : t("重试");
  element("other-button").classList.toggle("primary", isLost);
  element("error").hidden = false;
  element(error.code === "need_key" ? "key-input" : isLost ? "other-button" : "retry-button").focus();
}

function retry() {
  if (element("error").hidden) return;
  if (!element("key-form").hidden) setAccessKey(element("key-input").value);
  const rest = failure.file && lastSource().filter((_, index) => index !== failure.file - 1);
  run(rest ? () => rest : lastSource);
}

// ---- 换屏 ----

function showScreen(name) {
  for (const screen of ["start", "check", "work", "trends"]) element(screen).hidden = screen !== name;
  element("language-button").hidden = name !== "start"; // 换语言要重开网页，没有存下的就没了
  scrollTo(0, 0);
  // 手机上按“返回”是回到开头，不是离开网页
  if (history.state) history.replaceState(name === "start" ? "home" : "inside", "");
  else if (name !== "start") history.pushState("inside", "");
}

/** 丢下手头的事：进行中的分析、上一张照片、上一份结果。 */
function leave() {
  current?.abort();
  current = failure = shown = null;
  endProgress();
  clearPages();
  clearReport();
  offerAsking(null);
  clearPhoto();
  element("error").hidden = element("reopened").hidden = true;
}

function goHome() {
  if (shown) left = isKept() ? null : shown;
  leave();
  element("left-button").hidden = !left;
  showScreen("start");
  element("start-title").focus();
  listHistory();
}

/** 打开存下的（isStored），或没有存就离开的结果；照片不在了。 */
function reopen(record, isStored) {
  leave();
  showScreen("work");
  display(record, isStored);
  element("result-title").focus({ preventScroll: true });
}

// ---- 存在这台设备上的 ----

async function listHistory() {
  await loadDevice();
  const { kept, people } = device;
  element("history").hidden = people.length === 0;
  who = showPeople(people, listHistory);
  showBackup(people.length > 0, listHistory);
  // 化验的日子近的在前，没有读到日子的照存的；同一天的，后存的在前
  const when = ({ report, savedAt }) => dateOf(report) || new Date(savedAt).toISOString();
  const mine = kept.filter(({ person }) => person === who?.id).sort((one, other) => when(other).localeCompare(when(one)));
  element("history-list").replaceChildren(...mine.map((record, index) => {
    const title = (record.example ? t("示例：") : "") + (record.report.report_type || t("化验结果"));
    const taken = dateOf(record.report);
    const date = taken ? dateWords(taken.slice(0, 10)) : new Date(record.savedAt).toLocaleDateString(language === "en" ? "en-GB" : "zh-CN", { dateStyle: "long" });
    const open = makeButton("record", "", () => reopen(record, true));
    const [tier, words] = triageWords(record.report);
    const urgency = words.match(/^.*?(?=[：:])/)?.[0] ?? tier; // 近期门诊的，说是今天、几天还是几周内
    open.append(make("strong", "", title), make("span", "muted", `${date} · `, make("b", "", urgency), ` · ${summarize(record.report)}`));
    const remove = makeButton("chip", t("删除"), () => (
      confirm(t`删除 ${date} 的${title}？删了找不回来。`) && deleteResult(record.savedAt).then(listHistory).then(() => focusRecord(index))));
    remove.setAttribute("aria-label", t`删除 ${date} 的${title}`);
    return make("li", "", open, remove);
  }));
  if (people.length && !mine.length) element("history-list").append(make("li", "muted", t("还没有存下的结果。")));
}

/** 删了一条以后，焦点到接着的一条；没有了，到标题。 */
function focusRecord(index) {
  const records = document.querySelectorAll(".record");
  const title = element(element("history").hidden ? "start-title" : "history-title");
  (records[Math.min(index, records.length - 1)] ?? title).focus();
}

/** 库改了。正要读、正在读的，现在的人不跟着换；正填着一个人的，不打断。 */
const refresh = () => (
  (shown || !element("start").hidden) && !document.querySelector("#people form") ? listHistory() : loadDevice());

const say = sayIn("done-words");

const resultText = () => asText(shown.report, shown.disclaimer);
// 已经换了屏的，不算
const on = (id, work) => element(id).addEventListener("click", ({ currentTarget }) => currentTarget.closest("[hidden]") || work());

for (const [id, take] of [["album-input", choose], ["camera-input", choose], ["more-input", addPages], ["more-camera-input", addPages]]) {
  element(id).addEventListener("change", ({ target }) => {
    take([...target.files]);
    target.value = ""; // 再选同一张也要有反应
  });
}
on("example-button", () => run(fetchExample));
on("back-button", goHome);
on("trends-button", () => {
  showTrends(comparable(device.kept, { person: who?.id }));
  showScreen("trends");
  element("trends-title").focus({ preventScroll: true });
});
on("read-button", async () => {
  element("read-button").disabled = true; // 几张照片要准备一会儿
  const mine = current;
  const files = await checkedPages().finally(() => { element("read-button").disabled = false; });
  if (mine === current) run(() => files);
});
on("cancel-button", () => current?.abort());
on("retry-button", retry);
onSubmit(element("key-form"), retry);
setUpKeeping(() => shown, draw, refresh);
on("share-button", async () => say(await share(resultText())));
on("copy-button", async () => say(await copy(resultText())));
on("print-button", () => print());
on("csv-button", () => say(saveCsv(shown.report, shown.disclaimer)));
on("fhir-button", () => saveFhir(shown.report).then(say, (error) => say(t`没有导出：${error.message}`)));
on("clear-history-button", () => {
  if (!confirm(t("清除存在这台设备上的全部结果，每个人的都清？清了找不回来；要留，先在下面导出。"))) return;
  left = null;
  element("left-button").hidden = true;
  clearResults().then(forgetDisplay).then(listHistory).then(() => focusRecord(0));
});
on("left-button", () => reopen(left, false));
for (const button of document.querySelectorAll(".restart")) button.addEventListener("click", goHome);
onPhotoPick(openRow);

/** 在“看一眼”时给的是再加几页，别的时候是从头来。 */
const take = (files) => (element("check").hidden ? choose(files) : addPages(files));

document.addEventListener("paste", (event) => take([...event.clipboardData.files]));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  delete document.body.dataset.dragging;
  take([...event.dataTransfer.files]);
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.dataset.dragging = "";
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) delete document.body.dataset.dragging;
});
addEventListener("popstate", goHome);

function showConnection() {
  element("offline").hidden = navigator.onLine;
}
addEventListener("offline", showConnection);
addEventListener("online", () => {
  showConnection();
  if (CONNECTION_CODES.includes(failure?.code)) retry();
});
showConnection();
listHistory();
element("reopened").hidden = history.state !== "inside";
if (history.state) history.replaceState("home", "");
navigator.serviceWorker?.register("sw.js").catch(() => {}); // 装不上（要登录、浏览器不许），照样能用
