// 等的时候到哪一步；把服务器判断好的化验单画成网页。这里只显示，不判断：高低、分级、提示都来自服务器。
import { element, make, makeButton, onSubmit, safeNodes } from "./dom.js";
import { hasAlarm, language, t, urgencyOf } from "./language.js";
import { highlight } from "./photo_view.js";
import { isAbnormal, makeRow, needsCheck } from "./row_view.js";

// ---- 进度：上传 → 识别 → 核对 → 建议，真的上传了多少，和已经过去的秒数 ----

const SLOW_AFTER_SECONDS = 30;
const WORDS = [t("正在上传照片…"), t("正在读单子上的字…"), t("正在逐项对照参考范围…"), t("结果已经出来，正在写建议…")];

const panel = element("progress");
const steps = [...panel.querySelectorAll("li")];
const upload = element("upload-progress");
let timer = null;
let currentStep = 0;
let isSlow = false;
let pagesRead = ""; // 几页的报告，读到第几页

export function startProgress() {
  clearInterval(timer);
  isSlow = false;
  pagesRead = "";
  const started = performance.now();
  const tick = () => {
    const seconds = Math.floor((performance.now() - started) / 1000);
    element("elapsed").textContent = t`${seconds} 秒`;
    if (seconds < SLOW_AFTER_SECONDS || isSlow) return;
    isSlow = true;
    sayStep();
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
  if (part === 1 && currentStep === 0) setStep(1);
}

export function setPages(read, count) {
  if (count > 1) pagesRead = read < count ? t`第 ${read} 页读完了，在读第 ${read + 1} 页，共 ${count} 页…` : t`${count} 页都读完了。`;
  sayStep();
}

export function setStep(index) {
  currentStep = index;
  steps.forEach((step, i) => {
    step.dataset.state = i < currentStep ? "done" : i === currentStep ? "current" : "waiting";
    step.ariaCurrent = i === currentStep ? "step" : null;
  });
  upload.hidden = currentStep > 0;
  sayStep();
}

function sayStep() {
  element("progress-text").textContent = ((currentStep === 1 && pagesRead) || WORDS[currentStep]) + (isSlow ? t("比平时久，可以继续等，也可以取消。") : "");
}

export function endProgress() {
  clearInterval(timer);
  panel.hidden = true;
}

// ---- 结果 ----

const TRIAGE = {
  none: [t("未见异常"), t("读到的项目都在参考范围内。如果身体仍不舒服，还是要去看医生。")],
  routine: [t("居家观察"), t("没有看到需要马上处理的变化。留意身体的感觉，按下面的建议复查。")],
  soon: [t("近期门诊"), t("有项目要请医生结合症状来看。请在近期带上原始报告单去门诊。")],
  urgent: [t("尽快急诊"), t("有项目到了可能有危险的程度。请现在就带上原始报告单去最近医院的急诊。")],
};
// 近期门诊是多快；以前存下的结果没有这一栏
const SOON = {
  today: t("今天就去：有项目今天就要请医生看，挂不上号就去急诊。请带上原始报告单。"),
  days: t("几天内就去：有项目明显超出，请在这几天带上原始报告单去门诊。"),
  weeks: t("几周内去：有项目要请医生结合症状来看。请带上原始报告单。"),
};

export function triageWords({ triage, when }) {
  const [tier, words] = TRIAGE[triage];
  return [tier, (triage === "soon" && SOON[when]) || words];
}

const ENGINES = { "embedded-report-reader": t("内置的识别程序"), "embedded-health-advisor": t("内置的指标目录") };

const SEVERITIES = ["grave", "severe", "marked", "moderate", "slight"];

/** 重的在前，一样重的保持单子上的次序；没有判断的、正常的在后。 */
export const byWeight = (a, b) => rankOf(a) - rankOf(b);
const rankOf = ({ flag, severity }) => (severity ? SEVERITIES.indexOf(severity) : 6 + ["unknown", "normal"].indexOf(flag));

export const MEANING = t("两次的数不同，多半只是化验与身体本来的波动，或两家医院的方法不同。同一家医院、查得到平常波动有多大的项目，超过了才写比上次高还是低；是好是坏，请医生看。");

const result = element("result");
const advice = element("advice");

export function showReport(report, correct, previous) {
  element("result-title").textContent = report.report_type || t("化验结果");
  element("person").textContent = personWords(report);
  showNotices(report);
  element("summary").replaceChildren(...summarize(report).match(/[^，]+，?/g).map((clause) => make("span", "", clause)));
  [element("tier").textContent, element("tier-words").textContent] = triageWords(report);
  element("headline").dataset.triage = report.triage;
  element("strip").replaceChildren(...report.items.map((item) => {
    const tick = make("i");
    tick.dataset.flag = item.flag;
    return tick;
  }));
  showRows(report.items, { correct, point: pointAt, findSaid, goToAdvice, previous });
  result.hidden = false;
  element("work").dataset.shown = "";
}

/** 是谁的：印着的；单子上没有印、按人填的，说明是填的。 */
export function personWords({ sex, age, told = [] }) {
  const [printed, filled] = [false, true].map((isTold) => (
    [["sex", sex], ["age", age]].filter(([name, value]) => value && told.includes(name) === isTold).map(([, value]) => spoken(value))));
  return [...printed, filled.length && t`按您填的：${filled.join(t("，")).replace(/(\d)岁/, t("$1 岁"))}`].filter(Boolean).join(" · ");
}

// 印着的性别、年龄，英文的页面里说英文
const spoken = (value) => (language === "en" ? t(value).replace(/岁$/, " years").replace(/个?月$/, " months").replace(/天$/, " days") : value);

export function summarize({ items, triage, notices = [], doubts = [] }) {
  const calm = [
    hasAlarm(notices) && t("有的也许要紧"),
    items.every(({ flag }) => flag === "unknown") && t("没能判断"),
    ["none", "routine"].includes(triage) && t("没有看到异常"),
  ].find(Boolean);
  const abnormal = items.filter(isAbnormal).length;
  const unsure = items.filter(needsCheck).length;
  return [
    t`本次 ${items.length} 项`,
    abnormal ? t`${abnormal} 项异常` : calm,
    unsure && t`${unsure} 项请核对原件`,
    doubts.length > 0 && t("没有读全或有疑问"),
  ].filter(Boolean).join(t("，"));
}

// 横线之前是要做的一件事和为什么；之后的是每一项的说明，折起来，想看再点
export function showAdvice(html) {
  const nodes = safeNodes(html);
  const fold = nodes.findIndex((node) => node.nodeName === "HR");
  if (fold < 0) return advice.replaceChildren(...nodes);
  const wasOpen = advice.querySelector("details")?.open;
  const more = make("details", "", make("summary", "", t("更多：每一项的说明、挂什么科、什么时候要马上就医")), make("div", "advice-more", ...nodes.slice(fold + 1)));
  more.open = Boolean(wasOpen);
  return advice.replaceChildren(...nodes.slice(0, fold), more);
}

/** 全部完成：写上谁读的、谁核对的、谁建议的。 */
export function showEngines({ vision, verified_by: verifier, advice: adviser }, disclaimer, corrected) {
  const name = (engine) => ENGINES[engine] ?? engine;
  element("engines").textContent = [
    t`读图：${name(vision)}。`, verifier && t`核对：${name(verifier)}。`, corrected && t`其中 ${corrected} 项由您人工核对。`,
    t`建议：${name(adviser)}。`, t("高低由程序按参考范围判断，不由模型判断。以上都是自动生成的，没有经过医生。"),
  ].filter(Boolean).join("");
  if (disclaimer) element("disclaimer").textContent = disclaimer;
  result.dataset.whole = ""; // 写完了，才有得存、有得分享
}

/** 建议半途而止（取消或断线）：说明白，不让残句冒充全文。 */
export function endAdvice() {
  if (advice.querySelector(".waiting")) advice.replaceChildren();
  advice.append(make("p", "muted", t("建议到这里停了，没有写完。上面的结果是完整的。")));
}

export function clearReport() {
  result.hidden = true;
  delete element("work").dataset.shown;
  delete result.dataset.whole;
  element("rows").replaceChildren();
  advice.replaceChildren(make("p", "muted waiting", t("正在写…")));
  element("engines").textContent = "";
  element("done-words").textContent = "";
}

export function openRow(index) {
  const row = element(`row-${index}`);
  const group = row.closest("details");
  if (group) group.open = true;
  row.openMore();
  row.querySelector(".row-head").focus({ preventScroll: true });
  row.scrollIntoView({ block: "center" });
}

function pointAt(index) {
  for (const row of result.querySelectorAll(".row")) {
    row.toggleAttribute("data-active", Number(row.dataset.index) === index);
  }
  highlight(index);
}

// 建议里说它的一处，标题优先。名称前面不连着别的字：肌钙蛋白不是钙；后面是结果：低钠盐不是钠
function findSaid({ name, result }) {
  const plain = (text) => text.replaceAll(")", ""); // 英文名旁边的括号
  const find = (selector, said) => [...advice.querySelectorAll(selector)].find(({ textContent }) => (
    name && plain(textContent).split(plain(said)).slice(0, -1).some((before) => !/\p{L}$/u.test(before))));
  return find("h3", `${name} `) ?? find("li", `${name} ${result}`) ?? find("p", `${name} ${result}`);
}

function goToAdvice(item) {
  const place = findSaid(item) ?? element("advice-title");
  const fold = place.closest("details");
  if (fold) fold.open = true;
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
  place.scrollIntoView({ block: "center" });
}

function showNotices({ notices: said, triage }) {
  const box = element("notices");
  const notices = [...said].sort((a, b) => urgencyOf(a) - urgencyOf(b));
  const isCritical = triage === "urgent" || hasAlarm(notices);
  box.hidden = notices.length === 0;
  box.dataset.critical = isCritical;
  const [first = "", ...others] = notices;
  // 急话（没有把握的危急值也是）到叫人去急诊的一句为止最醒目，免得一屏都是红字
  const lead = isCritical ? (first.match(/^(.*?(急诊|emergency))?.*?(。|\.( |$))/s)?.[0] ?? first) : "";
  box.replaceChildren(make("p", "", lead && make("strong", "", lead), first.slice(lead.length)), ...others.map((notice) => make("p", "", notice)));
  // 危急值要最先看到；其余的提示不抢在一句话前面
  if (isCritical) result.prepend(box);
  else element("headline").after(box);
}

function showRows(items, actions) {
  const numbered = items.map((item, index) => ({ item, index })).sort((a, b) => byWeight(a.item, b.item));
  const pick = (wanted) => numbered.filter(({ item }) => wanted(item)).map(({ item, index }) => makeRow(item, index, actions));
  const abnormal = pick(isAbnormal);
  const unknown = pick((item) => item.flag === "unknown");
  const normal = pick((item) => item.flag === "normal");

  const groups = [];
  if (abnormal.length) groups.push(group(t("异常"), abnormal));
  if (unknown.length) groups.push(group(t("没有判断，请核对原件"), unknown));
  if (normal.length) {
    const details = make("details", "group", make("summary", "", t`正常 ${normal.length} 项`), make("ul", "card rows", ...normal));
    details.open = normal.length === items.length;
    groups.push(details);
  }
  if (items.some(actions.previous)) groups.push(make("p", "muted small-print", MEANING));
  element("rows").replaceChildren(...groups);
}

function group(title, rows) {
  return make("section", "group", make("h2", "", title), make("ul", "card rows", ...rows));
}

// 打印时展开“正常”一组，纸上点不开
let closedBeforePrint = [];
addEventListener("beforeprint", () => {
  closedBeforePrint = [...result.querySelectorAll("details:not([open])")];
  for (const details of closedBeforePrint) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of closedBeforePrint) details.open = false;
});

// ---- 什么时候、在哪里、什么标本：结果的标题下面一行。读错了、没有读到的，人可以照着原件填 ----

const FIELDS = [["collected", t("采样时间"), "datetime-local"], ["performer", t("医院"), "text"], ["specimen", t("标本"), "text"]];
const originPlace = element("origin");

/** 2026-11-26T08:30 -> 2026 年 11 月 26 日 08:30；没有印几点的只有日期。 */
export function dateWords(iso) {
  const [year, month, day] = iso.slice(0, 10).split("-").map(Number);
  if (language === "en") {
    const written = new Date(iso.slice(0, 10)).toLocaleDateString("en-GB", { dateStyle: "long", timeZone: "UTC" });
    return `${written} ${iso.slice(11)}`.trim();
  }
  return t`${year} 年 ${month} 月 ${day} 日 ${iso.slice(11)}`.trim();
}

/** 化验的日期：采样的，没有就用报告的；都没有读到为空串。 */
export const dateOf = ({ origin = {} }) => (origin.collected ?? origin.reported)?.value ?? "";

export function showOrigin({ origin = {} }, change) {
  const { collected, reported, performer, specimen } = origin;
  const words = [
    collected ? t`采样 ${dateWords(collected.value)}` : reported && t`报告 ${dateWords(reported.value)}`,
    performer?.value, specimen?.value,
  ].filter(Boolean).join(" · ");
  const edit = makeButton("link", words ? t("改") : t("填上采样时间、医院"), () => {
    originPlace.replaceChildren(originForm(origin, change, () => {
      showOrigin({ origin }, change);
      originPlace.lastChild.focus();
    }));
    originPlace.querySelector("input").focus();
  });
  if (words) edit.setAttribute("aria-label", t("改采样时间、医院、标本"));
  originPlace.replaceChildren(words, " ", edit);
}

function originForm(origin, change, close) {
  const form = make("form", "correct", make("p", "", t("照着原件填；没有印的空着。")), ...FIELDS.map(([name, label, type]) => {
    const input = make("input");
    const value = origin[name]?.value ?? "";
    Object.assign(input, { name, type, maxLength: 200, autocomplete: "off", max: "2100-01-01T00:00" });
    input.value = type === "text" || value.length !== 10 ? value : `${value}T00:00`;
    return make("label", "", label, input);
  }));
  form.append(make("div", "actions", make("button", "button primary", t("填好了")), makeButton("button", t("不改了"), close)));
  onSubmit(form, () => {
    const changed = { ...origin };
    for (const [name, value] of new FormData(form)) {
      const old = origin[name]?.value ?? "";
      if (!value.trim()) delete changed[name];
      else if (value !== old && value !== `${old}T00:00`) {
        // 原来没有印几点的，改了日子也没有
        changed[name] = { value: old.length === 10 ? value.trim().replace(/T00:00$/, "") : value.trim(), page: 1 };
      }
    }
    change(changed);
  });
  return form;
}
