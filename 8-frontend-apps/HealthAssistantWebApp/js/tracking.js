// 存下的几份报告里，哪些行是同一项、哪一份在前、差多少。是哪一项、换成什么单位由服务器说（tracked），这里从不按名称猜。

import { dateOf } from "./origin_view.js";

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
export const isPlotted = ({ item }) => item.flag !== "unknown" && item.tracked.value !== null;

/** 印着的数换算过没有。 */
export const isConverted = ({ result, tracked }) => tracked.value !== null && Number(result) !== Number(tracked.value);

/** 数用的单位：没有换算的照印着的写法。 */
export const unitOf = (item) => (isConverted(item) ? item.tracked.unit : item.unit);

/** 存下的里面比 report 早、有日期、也有这一项的最近一份里的那一行：{item, date, hospital}；没有、那一份里有两行同一项的为 null。 */
export function previousOf(item, report, records) {
  const now = dateOf(report);
  if (!item.tracked || !now) return null;
  const earlier = pointsOf(records).filter((point) => (
    point.item.tracked.analyte === item.tracked.analyte && isEarlier(point.date, now)));
  const last = earlier.at(-1);
  return last && earlier.filter(({ report: one }) => one === last.report).length === 1 ? last : null;
}

/** 同一单位才有差；返回带正负号的字，没有差的为空串，不能比的为 null。印着的数直接相减；有换算的照粗的一边留几位。 */
export function difference(item, before) {
  const [now, then] = [item, before].map(({ tracked }) => tracked);
  if (![item, before].every((one) => isPlotted({ item: one })) || now.unit !== then.unit) return null;
  const places = [now, then].map(({ value }) => value.split(".")[1]?.length ?? 0);
  const digits = [item, before].some(isConverted) ? Math.min(...places) : Math.max(...places);
  const words = Math.abs(now.value - then.value).toFixed(digits);
  if (Number(words) === 0) return "";
  return `${Number(now.value) > Number(then.value) ? "+" : "−"}${words}`;
}

/** 比上次高（1）、低（-1）得超过平常的波动；没有超过、没有查到的、不知道是不是同一家医院（方法会不同）的为 0。 */
export function realChange(item, report, previous) {
  const hospitals = [report.origin.performer?.value, previous.hospital];
  if (!hospitals[0] || hospitals[0] !== hospitals[1] || !difference(item, previous.item)) return 0;
  const [now, then] = [item, previous.item].map(({ tracked }) => Number(tracked.value));
  const limit = item.tracked.change_percent;
  return limit !== null && then > 0 && Math.abs(now - then) > (then * limit) / 100 ? Math.sign(now - then) : 0;
}

/** 在两个以上的日子测过的各项：[{name, names, points}]，points 早的在前；最近一次异常的项在前。 */
export function tracksOf(records) {
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
export function linesOf({ points }) {
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
