// 结果里的“上次”：存着的上一份里同一项的数和日子。只说差多少，不说好坏。

import { make } from "./dom.js";
import { dateWords } from "./origin_view.js";
import { FLAGS } from "./row_view.js";
import { difference, isConverted, previousOf, unitOf } from "./tracking.js";

export const MEANING = "两次的数不同，可能只是化验与身体本来的波动，或两家医院的方法不同；相差多少才算有变化，这里没有依据，所以不说是好是坏，请医生看。";

/** 造“上次”一行；存着的里面没有的为 null。 */
export function makePrevious(item, report, records) {
  const found = previousOf(item, report, records);
  if (!found) return null;
  const before = found.item;
  const change = difference(item, before);
  const isAbout = [item, before].some(isConverted);
  const unit = unitOf([item, before].find(isConverted) ?? item);
  return make("p", "previous",
    `上次 ${before.result} ${before.unit}`.trim(),
    `（${dateWords(found.date.slice(0, 10))}${before.flag === "unknown" ? `，${FLAGS.unknown[1]}` : ""}）`,
    change && `，${isAbout ? "换算后相差约" : "相差"} ${change} ${unit}`.trimEnd(),
  );
}
