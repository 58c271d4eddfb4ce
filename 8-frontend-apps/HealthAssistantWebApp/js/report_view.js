// 把服务器判断好的化验单画成网页。这里只显示，不判断：高低、分级、提示都来自服务器。

import { element, make, safeNodes } from "./dom.js";
import { language, opensWith, t } from "./language.js";
import { highlight } from "./photo_view.js";
import { MEANING } from "./previous_view.js";
import { isAbnormal, makeRow, needsCheck } from "./row_view.js";

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
  weeks: t("几周内去：有项目要请医生结合症状来看，不用急。请带上原始报告单。"),
};

/** 分级与一句话。 */
export function triageWords({ triage, when }) {
  const [tier, words] = TRIAGE[triage];
  return [tier, (triage === "soon" && SOON[when]) || words];
}

const ENGINES = { "embedded-report-reader": t("内置的识别程序"), "embedded-health-advisor": t("内置的指标目录") };

const SEVERITIES = ["grave", "severe", "marked", "moderate", "slight", null];

const result = element("result");
const advice = element("advice");

/** 显示整张报告；correct、previous 见 makeRow。 */
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
  showRows(report.items, { correct, point: pointAt, goToAdvice, previous });
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

/** 一句话：本次几项，几项异常。 */
export function summarize({ items, doubts = [] }) {
  const abnormal = items.filter(isAbnormal).length;
  const unsure = items.filter(needsCheck).length;
  return [
    t`本次 ${items.length} 项`,
    abnormal ? t`${abnormal} 项异常` : t("没有看到异常"),
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

/** 打开第 index 行，移到眼前。 */
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

// 建议里第一段提到它的话：标题优先，几项放在一起说的在列表里；没有提到的，去建议的开头
function goToAdvice({ name }) {
  const mentions = (selector) => [...advice.querySelectorAll(selector)].find((node) => name && node.textContent.includes(name));
  const place = mentions("h3, h4") ?? mentions("li, p") ?? element("advice-title");
  const fold = place.closest("details");
  if (fold) fold.open = true;
  place.tabIndex = -1;
  place.focus({ preventScroll: true });
  place.scrollIntoView({ block: "center" });
}

function showNotices({ items, notices }) {
  const box = element("notices");
  const isCritical = items.some((item) => item.critical) || notices.some((notice) => opensWith(notice, "尽快就医"));
  box.hidden = notices.length === 0;
  box.dataset.critical = isCritical;
  box.replaceChildren(...notices.map((notice) => make("p", "", notice)));
  // 危急值要最先看到；其余的提示不抢在一句话前面
  element("headline")[isCritical ? "before" : "after"](box);
}

function showRows(items, actions) {
  const numbered = items.map((item, index) => ({ item, index }));
  const pick = (wanted) => numbered.filter(({ item }) => wanted(item)).map(({ item, index }) => makeRow(item, index, actions));
  // 重的排在前，一样重的保持单子上的次序
  const abnormal = SEVERITIES.flatMap((severity) => pick((item) => isAbnormal(item) && (item.severity ?? null) === severity));
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
