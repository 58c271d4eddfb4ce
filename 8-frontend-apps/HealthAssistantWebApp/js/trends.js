// 存下的几份放在一起看：哪些行是同一项、哪一份在前、差多少；结果里的“上次”，趋势一页的图与表。只用存下的，没有网也看得到。
import { element, make, makeScroller } from "./dom.js";
import { t } from "./language.js";
import { dateOf, dateWords, MEANING } from "./report_view.js";
import { FLAGS } from "./row_view.js";

// ---- 同一项的几次。是哪一项、换成什么单位由服务器说（tracked），这里从不按名称猜 ----

const dayOf = (date) => date.slice(0, 10);

/** 分得清先后才算早：同一天的，两边都要印着几点。 */
const isEarlier = (one, other) => (
  dayOf(one) === dayOf(other) ? one.length > 10 && other.length > 10 && one < other : one < other);

const identity = ({ savedAt, copyOf }) => copyOf ?? savedAt;

/** 存下的 kept（新的在前）里可以与 record 比的：同一个人的，不是它自己，不是示例；读回时并排留下的几个样子算一份，用先有的。 */
export function comparable(kept, record) {
  const others = kept.filter((one) => one.person === record.person && !one.example && identity(one) !== identity(record));
  return record.example ? [] : [...new Map(others.map((one) => [identity(one), one])).values()];
}

/** 可以当作一个数来画、来比：判断过高低，也是单独一个数。 */
const isPlotted = ({ item }) => item.flag !== "unknown" && item.tracked.value !== null;

const isConverted = ({ result, tracked }) => tracked.value !== null && Number(result) !== Number(tracked.value);

const unitOf = (item) => (isConverted(item) ? item.tracked.unit : item.unit);

/** 存下的里面比 report 早、有日期、也有这一项的最近一份里的那一行：{item, date, hospital}；没有、那一份里有两行同一项的为 null。 */
function previousOf(item, report, records) {
  const now = dateOf(report);
  if (!item.tracked || !now) return null;
  const earlier = pointsOf(records).filter((point) => (
    point.item.tracked.analyte === item.tracked.analyte && isEarlier(point.date, now)));
  const last = earlier.at(-1);
  return last && earlier.filter(({ report: one }) => one === last.report).length === 1 ? last : null;
}

/** 同一单位才有差；返回带正负号的字，没有差的为空串，不能比的为 null。印着的数直接相减；有换算的照粗的一边留几位。 */
function difference(item, before) {
  const [now, then] = [item, before].map(({ tracked }) => tracked);
  if (![item, before].every((one) => isPlotted({ item: one })) || now.unit !== then.unit) return null;
  const places = [now, then].map(({ value }) => value.split(".")[1]?.length ?? 0);
  const digits = [item, before].some(isConverted) ? Math.min(...places) : Math.max(...places);
  const words = Math.abs(now.value - then.value).toFixed(digits);
  if (Number(words) === 0) return "";
  return `${Number(now.value) > Number(then.value) ? "+" : "−"}${words}`;
}

/** 比上次高（1）、低（-1）得超过平常的波动；没有超过、没有查到的、不知道是不是同一家医院（方法会不同）的为 0。 */
function realChange(item, report, previous) {
  const hospitals = [report.origin.performer?.value, previous.hospital];
  if (!hospitals[0] || hospitals[0] !== hospitals[1] || !difference(item, previous.item)) return 0;
  const [now, then] = [item, previous.item].map(({ tracked }) => Number(tracked.value));
  const limit = item.tracked.change_percent;
  return limit !== null && then > 0 && Math.abs(now - then) > (then * limit) / 100 ? Math.sign(now - then) : 0;
}

/** 在两个以上的日子测过的各项：[{name, names, points}]，points 早的在前；最近一次异常的项在前。 */
function tracksOf(records) {
  const tracks = new Map();
  for (const point of pointsOf(records)) {
    const { analyte, name } = point.item.tracked;
    if (!tracks.has(analyte)) tracks.set(analyte, { name, names: new Set(), points: [] });
    tracks.get(analyte).points.push(point);
    tracks.get(analyte).names.add(point.item.name);
  }
  const isCalm = ({ points }) => ["normal", "unknown"].includes(points.at(-1).item.flag);
  return [...tracks.values()]
    .filter(({ points }) => new Set(points.map(({ date }) => dayOf(date))).size > 1)
    .sort((one, other) => isCalm(one) - isCalm(other));
}

/** 画得出来的点按单位分开，一个单位一条线；只有一个点的不成线。 */
function linesOf({ points }) {
  const lines = new Map();
  for (const point of points.filter(isPlotted)) {
    const { unit } = point.item.tracked;
    lines.set(unit, [...(lines.get(unit) ?? []), point]);
  }
  return [...lines.values()].filter((line) => new Set(line.map(({ date }) => dayOf(date))).size > 1);
}

function pointsOf(records) {
  const dated = records.filter(({ report }) => dateOf(report));
  return dated
    .flatMap(({ report }) => report.items.filter(({ tracked }) => tracked).map((item) => (
      { item, report, date: dateOf(report), hospital: report.origin.performer?.value ?? "" })))
    .sort((one, other) => (one.date < other.date ? -1 : Number(one.date > other.date)));
}

// ---- 结果里的“上次” ----

export function makePrevious(item, report, records) {
  const found = previousOf(item, report, records);
  if (!found) return null;
  const before = found.item;
  const change = difference(item, before);
  const isAbout = [item, before].some(isConverted);
  const real = realChange(item, report, found);
  const unit = unitOf([item, before].find(isConverted) ?? item);
  return make("p", "previous",
    t`上次 ${before.result} ${before.unit}`.trim(),
    t`（${dateWords(found.date.slice(0, 10))}${before.flag === "unknown" ? t`，${FLAGS.unknown[1]}` : ""}）`,
    change && t`，${isAbout ? t("换算后相差约") : t("相差")} ${change} ${unit}`.trimEnd(),
    change === "" && (isAbout ? t("，换算后差不多一样") : t("，没有变化")),
    real !== 0 && t`，比上次${real > 0 ? t("高 ↑") : t("低 ↓")}，超过平常的波动（±${Math.round(item.tracked.change_percent)}%）`,
  );
}

// ---- 小图：一项、一种单位，横着是日子，竖着是数；每一点后面的一段是那一份单子自己的范围。图上有的，旁边的表里都有 ----

const WIDTH = 320, HEIGHT = 150;
const LEFT = 30, RIGHT = 30, TOP = 26, BOTTOM = 30; // 四边留给数和日子
const BAND = 18, DOT = 5;
const LABELLED = 6; // 点再多，数就叠在一起，只写头尾

/** points 是早的在前的 {item, date}；label 是给读屏的话。 */
function trendChart(points, label) {
  const svg = svgNode("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label });
  const values = points.map(({ item }) => Number(item.tracked.value));
  const days = points.map(({ date }) => Date.parse(date.length === 10 ? `${date}T00:00` : date));
  const ends = points.flatMap(({ item }) => [item.tracked.low, item.tracked.high]).filter((end) => end !== null).map(Number);
  const x = scale(days, LEFT, WIDTH - RIGHT);
  const y = scale([...values, ...ends], HEIGHT - BOTTOM, TOP);

  for (const [at, { item: { tracked: { low, high } } }] of points.entries()) {
    if (low === null && high === null) continue;
    // 没有界的一边画到头
    const top = high === null ? TOP - 8 : y(Number(high));
    const bottom = low === null ? HEIGHT - BOTTOM + 8 : y(Number(low));
    svg.append(svgNode("rect", { class: "chart-band", x: x(days[at]) - BAND / 2, y: top, width: BAND, height: Math.max(1, bottom - top), rx: 3 }));
  }
  svg.append(svgNode("polyline", { class: "chart-line", points: values.map((value, at) => `${x(days[at])},${y(value)}`).join(" ") }));
  for (const [at, { item }] of points.entries()) {
    const [cx, cy] = [x(days[at]), y(values[at])];
    // 异常的是方的，颜色之外也分得出
    const dot = item.flag === "normal"
      ? svgNode("circle", { cx, cy, r: DOT })
      : svgNode("rect", { x: cx - DOT, y: cy - DOT, width: 2 * DOT, height: 2 * DOT });
    dot.setAttribute("class", "chart-dot");
    dot.dataset.flag = item.flag;
    svg.append(dot);
    if (points.length <= LABELLED || at === 0 || at === points.length - 1) svg.append(svgText(cx, cy - 10, item.tracked.value, "chart-value"));
  }
  svg.append(svgText(0, HEIGHT - 6, points[0].date.slice(0, 10), "chart-day first"));
  svg.append(svgText(WIDTH, HEIGHT - 6, points.at(-1).date.slice(0, 10), "chart-day last"));
  return svg;
}

function scale(numbers, from, to) {
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  return (number) => (high > low ? from + ((number - low) / (high - low)) * (to - from) : (from + to) / 2);
}

function svgText(x, y, words, className) {
  const node = svgNode("text", { x, y, class: className });
  node.textContent = words;
  return node;
}

function svgNode(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

// ---- 趋势一页：在两个以上的日子测过的各项，一项一张小图、一张表 ----

const COLUMNS = [t("日期"), t("结果"), t("单位"), t("印着的范围"), t("判断"), t("医院")];

export function showTrends(records) {
  const tracks = tracksOf(records);
  const undated = records.filter(({ report }) => !dateOf(report)).length;
  const old = records.filter(({ report }) => report.items.some(({ tracked }) => tracked === undefined)).length;
  element("trend-notes").replaceChildren(...[
    tracks.length === 0 && t("存下的里面，还没有在两个日子测过的同一项。"),
    undated > 0 && t`有 ${undated} 份没有采样、报告的时间，不知道先后，没有算进来：打开它，照原件填上，再存一次。`,
    old > 0 && t`有 ${old} 份里有从前的版本存的行，看不出是哪一项，没有算进来：重新拍了再存。`,
    tracks.length > 0 && t("每一点后面的一段，是那一份单子自己印的范围；方点是当时判断为异常的。"),
    tracks.length > 0 && MEANING,
  ].filter(Boolean).map((words) => make("p", "", words)));
  element("trend-list").replaceChildren(...tracks.map(makeTrack));
}

function makeTrack(track, index) {
  const { name, names, points } = track;
  const lines = linesOf(track);
  const others = [...names].filter((one) => one !== name);
  const untold = points.filter((point) => !isPlotted(point)).length;
  const units = new Set(points.filter(isPlotted).map(({ item }) => item.tracked.unit));
  const title = make("h2", "", name);
  title.id = `trend-${index}`;
  const card = make("section", "card track", title,
    others.length > 0 && make("p", "muted small-print", t`单子上印作：${[...names].join(t("、"))}`),
    ...lines.flatMap((line) => [make("p", "muted small-print", chartUnit(line)), trendChart(line, chartWords(name, line))]),
    units.size > 1 && make("p", "muted small-print", t("几次的单位不能准确换算，不画在一起。")),
    untold > 0 && make("p", "muted small-print", t`有 ${untold} 次没有判断，或不是单独一个数，只在表里。`),
    make("details", "", make("summary", "", t`${points.length} 次的数`), makeTable(name, points)),
  );
  card.setAttribute("aria-labelledby", title.id);
  return card;
}

/** 几次里换算过的用目录的单位，都没有换算的照印着的。 */
const chartUnit = (line) => unitOf((line.find(({ item }) => isConverted(item)) ?? line.at(-1)).item);

const chartWords = (name, line) => (
  t`${name}，${chartUnit(line)}：${line.map(({ date, item }) => t`${dateWords(date.slice(0, 10))} ${item.tracked.value}，${FLAGS[item.flag][1]}`).join(t("；"))}`);

function makeTable(name, points) {
  const head = (words, scope) => Object.assign(make("th", "", words), { scope });
  const rows = points.map(({ item, date, hospital }) => {
    const result = item.result + (isConverted(item) ? t`（换算 ${item.tracked.value} ${item.tracked.unit}）` : "");
    const cells = [result, item.unit, item.reference_range || t("没有印"), FLAGS[item.flag].join("").trim(), hospital || t("没有读到")];
    return make("tr", "", head(date.slice(0, 10), "row"), ...cells.map((words) => make("td", "", words)));
  });
  const table = make("table", "", make("thead", "", make("tr", "", ...COLUMNS.map((words) => head(words, "col")))), make("tbody", "", ...rows));
  return makeScroller("table", t`${name}各次的数，可以左右滑动`, table);
}
