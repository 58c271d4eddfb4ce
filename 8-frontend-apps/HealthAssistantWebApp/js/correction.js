// 人改正一行以后：哪些交给服务器重新判断，回来的怎样与原来的合在一起。

const PRINTED = ["name", "code", "result", "unit", "reference_range", "mark"];

// 读的时候就有、人还没有核对的疑问。服务器重判时看不到照片，不说就会当作读准了。以前存下的结果没有这一栏，看说明
function openDoubt(item) {
  if (item.corrected) return null;
  return item.doubt === undefined && item.flag === "unknown" ? item.note : (item.doubt ?? null);
}

/** 第 index 行换成人填的 fields，其余照旧。 */
export function correctRow(report, index, fields) {
  const items = report.items.map((item, i) => (i === index ? { ...item, ...fields, corrected: true } : item));
  // 说这一行也许危急的话，人核对过就不用再说
  const doubts = report.doubts?.filter((words) => !(words.startsWith("请马上核对原件") && words.includes(items[index].name)));
  return { ...report, items, doubts };
}

/** 交给 POST /advice 的各行：印着的内容；没有把握的行连同疑问一起交，免得没人核对就被判成正常。 */
export function rowsToSend({ report_type, sex, age, origin = {}, told = [], doubts = [], items }) {
  const sent = items.map((item) => {
    const row = Object.fromEntries(PRINTED.map((name) => [name, item[name]]));
    row.page = item.page ?? 1; // 以前存下的结果没有这一栏
    row.report_type = item.report_type ?? null;
    row.corrected = item.corrected ?? false;
    return { ...row, doubt: openDoubt(item) };
  });
  return { report_type, sex, age, origin, told, doubts, items: sent };
}

/** 重新判断的结果没有位置与把握，从原来的补上。 */
export function mergeReports(before, after) {
  const items = before.items.map((old, index) => {
    const { boxes, confidence, corrected } = old;
    const kept = corrected ? { corrected } : { verified: old.verified, other_reading: old.other_reading };
    return { ...after.items[index], boxes, confidence, ...kept };
  });
  return { ...after, items };
}
