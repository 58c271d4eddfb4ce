// 把服务器判断好的化验单画成网页。这里只显示，不判断：高低、分级、提示都来自服务器。

import { cropOf, showHighlight } from "./photo.js";
import { rangeBar } from "./range_bar.js";

const FLAGS = {
  high: ["↑", "偏高"], low: ["↓", "偏低"], abnormal: ["!", "异常"], unknown: ["?", "未判断"], normal: ["", "正常"],
};
const TRIAGE = {
  none: ["未见异常", "读到的项目都在参考范围内。如果身体仍不舒服，还是要去看医生。"],
  routine: ["居家观察", "没有看到需要马上处理的变化。留意身体的感觉，按下面的建议复查。"],
  soon: ["近期门诊", "有项目要请医生结合症状来看。请在近期带上原始报告单去门诊。"],
  urgent: ["尽快急诊", "有项目到了可能有危险的程度。请现在就带上原始报告单去最近医院的急诊。"],
};

const ENGINES = { "embedded-report-reader": "内置的识别程序", "embedded-health-advisor": "内置的指标目录" };

const element = (id) => document.getElementById(id);
const result = element("result");
const DEFAULT_DISCLAIMER = element("disclaimer-text").textContent;

export function showReport(report) {
  element("result-title").textContent = report.report_type || "化验结果";
  element("person").textContent = [report.sex, report.age].filter(Boolean).join(" · ");
  showNotices(report);
  showTriage(report.triage);
  showRows(report.items);
  result.hidden = false;
  element("result-title").focus();
}

/** 全部完成：写上谁读的、谁建议的。 */
export function finishReport(response) {
  showAdvice(response.advice_html);
  const [vision, advice] = [response.engines.vision, response.engines.advice].map((name) => ENGINES[name] ?? name);
  element("engines").textContent =
    `读图：${vision}。建议：${advice}。高低由程序按参考范围判断。以上都由程序或 AI 自动生成，没有经过医生。`;
  element("disclaimer-text").textContent = response.disclaimer;
}

/** 全网页唯一用 innerHTML 的地方：这段 HTML 由服务器净化过。 */
export function showAdvice(html) {
  element("advice").innerHTML = html;
}

/** 建议半途而止（取消或断线）：说明白，不让残句冒充全文。 */
export function endAdvice() {
  element("advice").append(make("p", "muted", "建议到这里停了，没有写完。上面的结果是完整的。"));
  element("advice").querySelector(".waiting")?.remove();
}

export function clearReport() {
  result.hidden = true;
  element("advice").replaceChildren(make("p", "muted waiting", "正在写建议…"));
  element("engines").textContent = "";
  element("disclaimer-text").textContent = DEFAULT_DISCLAIMER;
}

function showNotices({ items, notices }) {
  const box = element("notices");
  const critical = items.some((item) => item.critical);
  box.hidden = notices.length === 0;
  box.dataset.critical = critical;
  box.replaceChildren(...notices.map((notice) => make("p", "", notice)));
  // 危急值要最先看到；其余的提示不抢在分级前面
  element("triage")[critical ? "before" : "after"](box);
}

function showTriage(triage) {
  const [word, sentence] = TRIAGE[triage];
  element("triage").dataset.triage = triage;
  element("triage").replaceChildren(make("h2", "", word), make("p", "", sentence));
}

function showRows(items) {
  const unknown = items.filter((item) => item.flag === "unknown");
  const normal = items.filter((item) => item.flag === "normal");
  // 危急的排在最前，其余保持单子上的次序
  const abnormal = items.filter((item) => !unknown.includes(item) && !normal.includes(item))
    .sort((a, b) => b.critical - a.critical);

  element("summary").textContent = [
    `共 ${items.length} 项`, `异常 ${abnormal.length} 项`, unknown.length && `未判断 ${unknown.length} 项`,
  ].filter(Boolean).join("，");

  const groups = [];
  if (abnormal.length) groups.push(make("section", "group", make("h2", "", "异常"), list(abnormal)));
  if (unknown.length) {
    const why = make("p", "muted", "这几项没有判断高低，请拿原始报告单对一下。");
    groups.push(make("section", "group", make("h2", "", "请核对原件"), why, list(unknown)));
  }
  if (normal.length) {
    const details = make("details", "group", make("summary", "", `正常 ${normal.length} 项`), list(normal));
    details.open = normal.length === items.length;
    groups.push(details);
  }
  element("rows").replaceChildren(...groups);
}

function list(items) {
  return make("ul", "card rows", ...items.map(row));
}

function row(item) {
  const [arrow, word] = FLAGS[item.flag];
  const line = make("li", "row",
    make("div", "row-line",
      make("h3", "name", item.name, " ", make("span", "code", item.code)),
      make("span", "flag", `${arrow} ${word}`.trim()),
    ),
    make("div", "row-line",
      make("p", "value", make("span", "number", item.result || "没有读出"), " ", make("span", "unit", item.unit)),
      rangeText(item),
    ),
    make("div", "row-line tools", item.flag !== "unknown" && rangeBar(item.scale)),
    item.critical && make("p", "critical", "达到危急值，请尽快就医。"),
    item.note && make("p", "note", item.note),
    item.other_reading && make("p", "note", `另一个程序读成 ${item.other_reading}，请核对原件。`),
  );
  line.dataset.flag = item.flag;
  line.dataset.name = item.name;
  if (item.boxes.row) tieToPhoto(line, item.boxes.row, item.flag === "unknown");
  return line;
}

function rangeText({ range_source: source, reference_range: printed, applied_range: applied }) {
  if (source === "none") return make("p", "range", "未印参考范围");
  if (source === "catalogue") return make("p", "range", `参考范围 ${applied} `, make("span", "tag", "目录范围"));
  // 印着男女、成人儿童几个范围的，说明用的是哪一个
  return make("p", "range", `参考范围 ${printed}`, applied !== printed && `（按 ${applied} 判断）`);
}

// 指到、点到或用键盘走到一行，就在照片上圈出它，一直圈到换成另一行
function tieToPhoto(line, box, openNow) {
  const point = () => {
    for (const other of result.querySelectorAll(".row[data-active]")) delete other.dataset.active;
    line.dataset.active = "";
    showHighlight(box);
  };
  for (const event of ["pointerenter", "focusin", "click"]) line.addEventListener(event, point);

  const button = make("button", "compare", "对照原图");
  button.type = "button";
  let crop = null;
  const toggle = () => {
    crop?.remove();
    const picture = crop ? null : cropOf(box);
    crop = picture && make("div", "crop", picture);
    button.setAttribute("aria-expanded", crop !== null);
    if (!crop) return;
    picture.setAttribute("role", "img");
    picture.setAttribute("aria-label", "照片上的这一行");
    line.append(crop);
  };
  button.setAttribute("aria-expanded", false);
  button.addEventListener("click", toggle);
  line.querySelector(".tools").append(button);
  if (openNow) toggle();
}

function make(tag, className, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children.filter(Boolean));
  return node;
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
