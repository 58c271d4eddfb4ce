// 结果带出网页：一段文字（分享、复制），给电子表格的 CSV，给别的健康软件的 FHIR。
import { askFhir, rowsToSend } from "./api.js";
import { make } from "./dom.js";
import { fullName, hasAlarm, t } from "./language.js";
import { byWeight, dateOf, dateWords, personWords, summarize, triageWords } from "./report_view.js";
import { criticalWords, FLAGS, rangeWords } from "./row_view.js";

// ---- 一段文字 ----

export function asText(report, disclaimer) {
  const [tier, words] = triageWords(report);
  const line = (item) => [
    `${fullName(item)} ${item.result || t("没有读出")} ${item.unit}`.trim(), FLAGS[item.flag].join("").trim(),
    rangeWords(item), item.corrected && t("人工核对"),
  ].filter(Boolean).join(t("，"));
  return [
    t`${report.report_type || t("化验结果")}：${summarize(report)}`,
    ...(report.told?.length ? [personWords(report)] : []),
    ...(dateOf(report) ? [t`${report.origin.collected ? t("采样") : t("报告")}时间：${dateWords(dateOf(report))}`] : []),
    t`${tier}：${words}`,
    ...report.notices,
    "",
    ...[...report.items].sort(byWeight).map(line),
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

// ---- 文件 ----

const NAMELESS = t("里面没有姓名与照片。");
const COLUMNS = [t("项目"), t("代号"), t("结果"), t("单位"), t("参考范围"), t("判断"), t("按什么判断"), t("说明")];

/** 表格软件会把 = 之类开头的字当成公式，1:40 当成时间：读来的字不能变成别的，前面加一撇。光是 +、- 或一个数的照旧。 */
const cell = (text = "") => {
  const plain = /^[=@＝＠＋－\s]|^[-+](?![-+]*$|\d*\.?\d*$|\d[\d.]*~)|^\d+[:/]\d+$/.test(text) ? `'${text}` : text;
  return `"${plain.replaceAll('"', '""')}"`;
};

/** 3-5 会被当成三月五日：两个数之间的横线写成 ~。 */
const spread = (text = "") => text.replace(/(\d)\s*[-–—]+\s*(?=-?[\d.])/g, "$1~");

function asCsv(report, disclaimer) {
  const rows = report.items.map((item) => [
    fullName(item), item.code, spread(item.result), item.unit, spread(item.reference_range), FLAGS[item.flag].join("").trim(), rangeWords(item),
    [item.corrected && t("人工核对"), criticalWords(item), item.note].filter(Boolean).join(t("；")),
  ]);
  const isAlarm = (words) => hasAlarm([words]);
  const others = report.notices.filter((words) => !isAlarm(words));
  const lines = [...report.notices.filter(isAlarm), COLUMNS, ...rows, [], ...others, t`AI 生成，仅供参考。${disclaimer}`]
    .map((line) => [line].flat().map((text) => cell(text ?? "")).join(","));
  return `\uFEFF${lines.join("\r\n")}\r\n`; // 有 BOM，Excel 才认得是 UTF-8
}

export function saveCsv(report, disclaimer) {
  return download(asCsv(report, disclaimer), "text/csv", t("化验结果.csv")) + NAMELESS;
}

export async function saveFhir(report) {
  const rows = rowsToSend(report);
  rows.items.forEach((row, index) => { row.boxes = report.items[index].boxes ?? {}; });
  return download(await askFhir(rows), "application/fhir+json", t("化验结果.fhir.json")) + NAMELESS;
}

/** 存成文件；返回要告诉人的话。 */
export function download(text, type, name) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000); // 有的浏览器点了以后才去取
  return t`已经存成“${name}”。`;
}
