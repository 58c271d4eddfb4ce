// 一行结果：箭头和字、数值、范围条；点开是照片上的这一行，和改正用的表单。
import { make, makeButton, makeScroller, onSubmit } from "./dom.js";
import { fullName, t } from "./language.js";
import { cropOf, scrollToPhoto } from "./photo_view.js";

export const FLAGS = {
  high: ["↑", t("偏高")], low: ["↓", t("偏低")], abnormal: ["!", t("异常")], unknown: ["?", t("未判断")], normal: ["", t("正常")],
};
const DEGREES = { slight: t("，轻微超出"), marked: t("，明显超出"), severe: t("，严重超出") };
const MARKS = ["", "↑", "↓"];

export const isAbnormal = (item) => !["normal", "unknown"].includes(item.flag);

/** 结果自己不到危急值的 grave，是医院印着危急标记。 */
export const criticalWords = (item) => (item.critical ? t("达到危急值") : isAbnormal(item) && item.severity === "grave" && t("印着危急标记"));

/** 两个读者读得不一样，或没有把握：请人核对。核对过的不再问。 */
export function needsCheck(item) {
  return !item.corrected && (item.flag === "unknown" || item.verified === false);
}

export function rangeWords({ range_source: source, reference_range: printed, applied_range: applied, severity }) {
  const degree = DEGREES[severity] ?? "";
  if (source === "none") return (printed || t("未印参考范围")) + degree;
  if (source === "catalogue") return t`参考 ${applied}（单子上没有印，用的是目录范围）${degree}`;
  // 印着男女、成人儿童几个范围的，说明用的是哪一个
  return (applied === printed ? t`参考 ${printed}` : t`参考 ${printed}（按 ${applied} 判断）`) + degree;
}

/**
 * actions：point(index) 指到这一行；correct(index, fields) 改正，返回 Promise，不成时抛出给人看的错误；
 * findSaid(item)、goToAdvice(item) 找、去看建议里说它的那一处；previous(item) 造“上次”一行，没有为 null。
 */
export function makeRow(item, index, actions) {
  const row = make("li", "row");
  Object.assign(row.dataset, { index, flag: item.flag, name: item.name });
  row.id = `row-${index}`;
  const more = make("div", "more");
  more.id = `more-${index}`;
  more.hidden = true;

  const [arrow, word] = FLAGS[item.flag];
  const toggle = (open) => {
    more.hidden = !open;
    head.setAttribute("aria-expanded", open);
    if (open) more.replaceChildren(...contents(item, index, actions));
  };
  const head = makeButton("row-head", "", () => {
    toggle(more.hidden);
    actions.point(index);
  });
  head.setAttribute("aria-controls", more.id);
  head.append(
    make("span", "name", fullName(item) || t("（没有读出名称）"), " ", make("span", "code", item.code)),
    make("span", "flag", `${arrow} ${word}`.trim()),
    make("span", "value", make("span", "number", item.result || t("没有读出")), " ", make("span", "unit", item.unit)),
    make("span", "range", rangeWords(item)),
  );
  row.append(
    ...[
      head,
      item.flag !== "unknown" && rangeBar(item.scale),
      criticalWords(item) && make("p", "critical", t`${criticalWords(item)}，请尽快就医。`),
      item.corrected && make("p", "", make("span", "tag", t("人工核对"))),
      needsCheck(item) && make("p", "", make("span", "tag ask", t("请核对原件"))),
      item.note && make("p", "note", item.note),
      isAbnormal(item) && actions.previous(item),
      item.other_reading && make("p", "note", t`另一个程序读成 ${item.other_reading}。`),
      more,
    ].filter(Boolean),
  );
  row.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && actions.point(index));
  row.addEventListener("focusin", () => actions.point(index));
  row.openMore = () => toggle(true);
  toggle(item.flag === "unknown" && needsCheck(item));
  return row;
}

function contents(item, index, actions) {
  const crop = cropOf(index);
  const scroller = crop && makeScroller("crop", t("照片上的这一行，可以左右滑动"), crop);
  // 结果多半印在中间
  if (scroller) requestAnimationFrame(() => { scroller.scrollLeft = (scroller.scrollWidth - scroller.clientWidth) / 2; });
  const tools = make("div", "row-tools",
    makeButton("link", needsCheck(item) ? t("核对，改正") : t("读错了，改正"), () => {
      const form = correctionForm(item, (fields) => actions.correct(index, fields), () => {
        form.replaceWith(tools);
        tools.firstChild.focus();
      });
      tools.replaceWith(form);
      form.elements[0].focus();
    }),
    (item.flag !== "normal" || actions.findSaid(item)) && makeButton("link", t("看这一项的说明"), () => actions.goToAdvice(item)),
    crop && makeButton("link", t("在整张照片上看"), scrollToPhoto),
  );
  const where = crop && crop.dataset.page && make("p", "muted", t`在第 ${crop.dataset.page} 页。`);
  const previous = !isAbnormal(item) && actions.previous(item);
  return [scroller, where, previous, item.verified && make("p", "muted", t("两个程序各读一遍，读得一样。")), tools].filter(Boolean);
}

function correctionForm(item, correct, close) {
  const form = make("form", "correct",
    make("p", "", t("照着原件填，没有错就不用动。交了以后，高低和建议都重新来。")),
    field(t("结果"), "result", item.result),
    field(t("单位"), "unit", item.unit),
    field(t("参考范围"), "reference_range", item.reference_range),
    make("label", "", t("旁边印的标记"), markSelect(item.mark ?? "")),
  );
  const problem = make("p", "problem");
  problem.setAttribute("role", "alert");
  const submit = make("button", "button primary", t("按原件重新判断"));
  form.append(problem, make("div", "actions", submit, makeButton("button", t("不改了"), close)));
  onSubmit(form, async () => {
    const fields = Object.fromEntries(new FormData(form));
    submit.disabled = true;
    problem.textContent = "";
    try {
      await correct({ ...fields, mark: fields.mark || null });
    } catch (error) {
      submit.disabled = false;
      problem.textContent = t`没有改成：${error.message}`;
    }
  });
  return form;
}

function field(label, name, value) {
  return make("label", "", label, Object.assign(make("input"), { name, value, maxLength: 200, autocomplete: "off", required: name === "result" }));
}

function markSelect(mark) {
  const words = { "": t("没有"), "?": t("没有认出") };
  const select = make("select", "", ...[...new Set([...MARKS, mark])].map((one) => new Option(words[one] ?? one, one)));
  return Object.assign(select, { name: "mark", value: mark });
}

// ---- 范围条：参考范围是中间一段，圆点是这次的结果。只是图示，旁边的文字说同样的事，所以读屏软件跳过它 ----

const EDGE = 0.02;

function rangeBar(scale) {
  const layout = scale && layOut(scale);
  if (!layout) return null;
  const bar = make("div", "bar");
  bar.setAttribute("aria-hidden", "true");
  add(bar, "zone", layout.from).style.width = percent(layout.to - layout.from);
  if (scale.low !== null) add(bar, "limit", layout.from).textContent = scale.low;
  if (scale.high !== null) add(bar, "limit", layout.to).textContent = scale.high;
  add(bar, "dot", Math.min(1 - EDGE, Math.max(EDGE, layout.at)));
  return bar;
}

// 范围从哪里到哪里、圆点在哪里，都是 0 到 1；超出两端的点由调用者收回到边上
function layOut({ value, low, high }) {
  if (low !== null && high !== null) {
    return high > low ? { from: 0.3, to: 0.7, at: 0.3 + (0.4 * (value - low)) / (high - low) } : null;
  }
  if (high !== null) return high > 0 ? { from: 0, to: 0.7, at: (0.7 * value) / high } : null;
  if (low === null || low <= 0) return null;
  return { from: 0.3, to: 1, at: value < low ? (0.3 * value) / low : 1 - (0.7 * low) / value };
}

function add(bar, className, left) {
  const part = make("span", className);
  part.style.left = percent(left);
  bar.append(part);
  return part;
}

const percent = (fraction) => `${fraction * 100}%`;
