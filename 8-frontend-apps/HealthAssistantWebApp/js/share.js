// 结果写成一段文字：分享、复制。

import { make } from "./dom.js";
import { fullName, t } from "./language.js";
import { dateOf, dateWords } from "./origin_view.js";
import { personWords, summarize, triageWords } from "./report_view.js";
import { FLAGS, rangeWords } from "./row_view.js";

export function asText(report, disclaimer) {
  const [tier, words] = triageWords(report);
  const line = (item) => [
    `${fullName(item)} ${item.result || t("没有读出")} ${item.unit}`.trim(), FLAGS[item.flag].join("").trim(),
    rangeWords(item), item.corrected && t("人工核对"),
  ].filter(Boolean).join(t("，"));
  const urgency = ["high", "low", "abnormal", "unknown", "normal"];
  const items = [...report.items].sort((a, b) => b.critical - a.critical || urgency.indexOf(a.flag) - urgency.indexOf(b.flag));
  return [
    t`${report.report_type || t("化验结果")}：${summarize(report)}`,
    ...(report.told?.length ? [personWords(report)] : []),
    ...(dateOf(report) ? [t`${report.origin.collected ? t("采样") : t("报告")}时间：${dateWords(dateOf(report))}`] : []),
    t`${tier}：${words}`,
    ...report.notices,
    "",
    ...items.map(line),
    "",
    t`AI 生成，仅供参考。${disclaimer}`,
  ].join("\n");
}

/** 系统的分享面板；不支持的浏览器复制文字。返回要告诉人的话。 */
export async function share(text) {
  if (!navigator.share) return copy(text);
  try {
    await navigator.share({ title: t("化验单结果"), text });
    return "";
  } catch (error) {
    return ["AbortError", "InvalidStateError"].includes(error.name) ? "" : copy(text); // 不分享了，或正开着
  }
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // 局域网里用 http 打开的网页没有 navigator.clipboard
    const area = make("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  return t("已经复制，可以粘贴给医生或家人。");
}
