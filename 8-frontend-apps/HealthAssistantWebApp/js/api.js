// 与阶段 7 的服务通信：发一个请求，服务器用 SSE 一段段回答。用 XMLHttpRequest：只有它报告上传了多少。
import { language, t } from "./language.js";

/** 这么久没有一点动静，就不等了；服务器在读的时候，每 10 秒至少说一句。 */
const WAIT_MS = 180_000;
/** 浏览器说传完了，字节也许还在路上：最慢按每秒 2 KB 算。 */
const SLOWEST_BYTES_PER_MS = 2;
const BROKEN_OFF = t("连接中途断了，没有收全。");
const [SILENT, UNREACHED] = [["timeout", t("等了很久，服务器一点动静也没有。")], ["network", t("连不上服务器。")]];
const base = document.querySelector("meta[name=api-base]").content.replace(/\/$/, "");
let accessKey = "";

/** 服务设了访问口令时用；只留在内存里。 */
export const setAccessKey = (key) => { accessKey = key; };

export class AnalysisError extends Error {
  /** code 给程序看，message 给人看；retryAfter 是服务器请人等的秒数；file 是第几个文件不行。 */
  constructor(code, message, retryAfter, file) {
    super(message);
    Object.assign(this, { code, retryAfter, file });
  }
}

/** 读一份报告的各页（照片与 PDF）。person 是人自己填的性别、出生年，单子上没有印的才用。事件依次是 accepted、page（几页的，或 PDF）、report、advice（可有多次）、done。 */
export function analyze(files, person, listeners) {
  const form = new FormData();
  for (const file of files) form.append("image", file, file.type === "application/pdf" ? "report.pdf" : "photo.jpg");
  if (person?.sex) form.append("sex", person.sex);
  if (person?.birthYear) form.append("birth_year", person.birthYear);
  return post("analyze_medical_report", form, listeners);
}

/** 人核对过的各行重新判断；事件是 report、advice、done。 */
export function reassess(report, listeners) {
  return post("advice", JSON.stringify({ report }), listeners, "application/json");
}

/** 各行（连同在照片上的位置）写成 FHIR R4 的 Bundle，返回 JSON 文字。出错抛 AnalysisError。 */
export const askFhir = (report) => postOnce("fhir", { report }, "application/fhir+json");

/** 就这份报告问一句；返回 {answer_html, disclaimer, …}。出错抛 AnalysisError。 */
export const askQuestion = (report, question) => postOnce("ask", { report, question }, "application/json").then(JSON.parse);

/** 服务接了建议模型、可以问没有；问不到服务的当作没有。 */
export async function canAsk() {
  const response = navigator.onLine && await fetch(addressOf("health")).catch(() => null);
  return Boolean(response?.ok && (await response.json()).asking);
}

function postOnce(path, body, type) {
  return new Promise((resolve, reject) => {
    const request = open(path, "application/json");
    request.timeout = WAIT_MS;
    request.ontimeout = () => reject(new AnalysisError(...SILENT));
    request.onload = () => (request.status === 200 && request.getResponseHeader("Content-Type")?.startsWith(type)
      ? resolve(request.responseText) : reject(refusal(request)));
    request.onerror = () => reject(new AnalysisError(...UNREACHED));
    request.send(JSON.stringify(body));
  });
}

const addressOf = (path) => (base ? `${base}/${path}` : path);

function open(path, contentType) {
  const request = new XMLHttpRequest();
  request.open("POST", addressOf(path));
  if (contentType) request.setRequestHeader("Content-Type", contentType);
  request.setRequestHeader("Accept-Language", language);
  // 不用 Authorization：反向代理用着它。头里写不了汉字，换成问号
  if (accessKey) request.setRequestHeader("X-API-Key", accessKey.replace(/[^ -~]/g, "?"));
  return request;
}

/** 收到 done 才算成功。出错抛 AnalysisError；signal 取消则抛 AbortError。onUpload 收到 0 到 1。 */
function post(path, body, { signal, onEvent, onUpload }, contentType) {
  return new Promise((resolve, reject) => {
    const request = open(path, contentType);
    request.setRequestHeader("Accept", "text/event-stream");
    signal?.addEventListener("abort", () => {
      request.abort();
      reject(signal.reason);
    });

    let timer;
    let onTheWay = 0;
    const wait = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        reject(new AnalysisError(...SILENT));
        request.abort();
      }, WAIT_MS + onTheWay / SLOWEST_BYTES_PER_MS);
    };
    document.addEventListener("visibilitychange", wait); // 在后台停了很久，醒来先等一等
    request.onloadend = () => {
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", wait);
    };

    let taken = 0;
    let finished = false;
    const take = () => {
      if (request.status !== 200) return;
      for (let end; (end = request.responseText.indexOf("\n\n", taken)) >= 0; taken = end + 2) {
        const event = parseEvent(request.responseText.slice(taken, end));
        if (event?.type === "error") throw new AnalysisError(event.data.code, event.data.error);
        finished ||= event?.type === "done";
        if (event) onEvent(event);
      }
    };
    // 事件处理里出的错也交给调用者
    const guarded = (work) => () => Promise.resolve().then(work).catch(reject);
    request.upload.onprogress = ({ loaded, total }) => {
      onTheWay = loaded;
      wait();
      onUpload?.(loaded / total);
    };
    request.onprogress = guarded(() => {
      onTheWay = 0; // 开口了，就是都收到了
      wait();
      take();
    });
    request.onload = guarded(() => {
      const type = request.getResponseHeader("Content-Type") ?? "";
      if (request.status !== 200 || !type.startsWith("text/event-stream")) throw refusal(request);
      take();
      if (!finished) throw new AnalysisError("stream_ended", BROKEN_OFF);
      resolve();
    });
    request.onerror = () => reject(
      request.responseText ? new AnalysisError("stream_ended", BROKEN_OFF) : new AnalysisError(...UNREACHED),
    );
    wait();
    request.send(body);
  });
}

// 一个事件的各行是“字段: 值”；冒号开头的是保持连接用的注释
function parseEvent(block) {
  const fields = (name) => block.split("\n").filter((line) => line.startsWith(`${name}:`))
    .map((line) => line.slice(name.length + 1).trim());
  const data = fields("data").join("\n");
  return data && { type: fields("event")[0], data: JSON.parse(data) };
}

function refusal(request) {
  const wait = Number(request.getResponseHeader("Retry-After"));
  try {
    const { code, error, file } = JSON.parse(request.responseText);
    if (code === "key_needed") return new AnalysisError("need_key", t("这个服务要访问口令。"));
    if (error) return new AnalysisError(code, error, wait, file);
  } catch {
    // 不是服务答的，是前面的登录页、代理
  }
  if ([200, 401, 403].includes(request.status)) return new AnalysisError("login", t("来的不是结果，是别的网页：多半要登录，或登录过期了。"));
  const words = request.status === 413 ? t("照片或 PDF 太大，服务器前面的代理不收；请一次少选几页") : t("服务器没有正常回答，请过一会儿再试");
  return new AnalysisError("http", t`${words}（状态码 ${request.status}）。`, wait);
}

// ---- 人改正一行以后：哪些交给服务器重新判断，回来的怎样与原来的合在一起 ----

const PRINTED = ["name", "code", "result", "unit", "reference_range", "mark"];

// 读的时候就有、人还没有核对的疑问。服务器重判时看不到照片，不说就会当作读准了。以前存下的结果没有这一栏，看说明
function openDoubt(item) {
  if (item.corrected) return null;
  return item.doubt === undefined && item.flag === "unknown" ? item.note : (item.doubt ?? null);
}

const ALARM = /^(?:请马上核对原件：|Check .*? read )(.*) (?:两个读者.*读成|differently, .* as) (.*)(?:；如果|; if )/;

// 名称要整个一样：肌钙蛋白I 里也有“钙”
function isAlarmOf({ name, other_reading: reading }, words) {
  const [, said, other] = words.match(ALARM) ?? [];
  return other && other === reading && (said === name || said.endsWith(` (${name})`));
}

export function correctRow(report, index, fields) {
  const items = report.items.map((item, i) => (i === index ? { ...item, ...fields, corrected: true } : item));
  // 说这一行也许危急的话，核对过就不用再说
  const own = report.doubts?.findIndex((words) => isAlarmOf(report.items[index], words));
  const doubts = report.doubts?.filter((words, i) => i !== own);
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
