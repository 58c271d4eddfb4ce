// 趋势：在两个以上的日子测过的各项，一项一张小图、一张表。只用存下的，没有网也看得到。

import { element, make } from "./dom.js";
import { t } from "./language.js";
import { dateOf, dateWords } from "./origin_view.js";
import { MEANING } from "./previous_view.js";
import { FLAGS } from "./row_view.js";
import { isConverted, isPlotted, linesOf, tracksOf, unitOf } from "./tracking.js";
import { trendChart } from "./trend_chart.js";

const COLUMNS = [t("日期"), t("结果"), t("单位"), t("印着的范围"), t("判断"), t("医院")];

/** records 是存下的全部。 */
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
    ...lines.flatMap((line) => [make("p", "chart-unit", chartUnit(line)), trendChart(line, chartWords(name, line))]),
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
  const heads = COLUMNS.map((words) => {
    const head = make("th", "", words);
    head.scope = "col";
    return head;
  });
  const rows = points.map(({ item, date, hospital }) => {
    const day = make("th", "", date.slice(0, 10));
    day.scope = "row";
    const result = item.result + (isConverted(item) ? t`（换算 ${item.tracked.value} ${item.tracked.unit}）` : "");
    const cells = [result, item.unit, item.reference_range || t("没有印"), FLAGS[item.flag].join("").trim(), hospital || t("没有读到")];
    return make("tr", "", day, ...cells.map((words) => make("td", "", words)));
  });
  const table = make("table", "", make("thead", "", make("tr", "", ...heads)), make("tbody", "", ...rows));
  const scroller = make("div", "table", table);
  // 窄屏上要左右滑，用键盘也得滑得动
  scroller.tabIndex = 0;
  scroller.setAttribute("role", "group");
  scroller.setAttribute("aria-label", t`${name}各次的数，可以左右滑动`);
  return scroller;
}
