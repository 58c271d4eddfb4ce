// 结果里的“上次”：存着的上一份里同一项的数和日子，相差多少，超过平常的波动没有。不说好坏。

import { make } from "./dom.js";
import { t } from "./language.js";
import { dateWords } from "./origin_view.js";
import { FLAGS } from "./row_view.js";
import { difference, isConverted, previousOf, realChange, unitOf } from "./tracking.js";

export const MEANING = t("两次的数不同，多半只是化验与身体本来的波动，或两家医院的方法不同。同一家医院、查得到平常波动有多大的项目，超过了才写比上次高还是低；是好是坏，请医生看。");

/** 造“上次”一行；存着的里面没有的为 null。 */
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
