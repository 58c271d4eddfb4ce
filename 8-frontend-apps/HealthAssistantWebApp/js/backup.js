// 存下的全部结果 ⇄ 一个文件，给了口令就加密；读回来的先查一遍。
import { element, onSubmit, sayIn } from "./dom.js";
import { download } from "./export.js";
import { dropBlank, inDatabase, newPerson, settled } from "./storage.js";
import { t } from "./language.js";

const FORMAT = "health-assistant-kept";
const VERSION = 1;
/** OWASP Password Storage Cheat Sheet：PBKDF2-HMAC-SHA256 至少 60 万次。上限免得一个坏文件让手机算上几小时。 */
const ITERATIONS = 600_000;
const MOST_ITERATIONS = 10_000_000;
const SALT_BYTES = 16; // NIST SP 800-132：至少 128 位
const IV_BYTES = 12; // NIST SP 800-38D：GCM 用 96 位

/** http 的局域网地址不是“安全上下文”，浏览器不给 crypto.subtle。 */
const canEncrypt = Boolean(globalThis.crypto?.subtle);

/** 不能读回的文件；message 给人看。needsPassphrase：加了密，还没有给口令。 */
class BackupError extends Error {
  constructor(message, needsPassphrase = false) {
    super(message);
    this.needsPassphrase = needsPassphrase;
  }
}

export async function writeBackup(passphrase) {
  const kept = await inDatabase("readonly", async (results, people) => (
    { people: await settled(people.getAll()), results: await settled(results.getAll()) }));
  const head = { format: FORMAT, version: VERSION };
  if (!passphrase) return JSON.stringify({ ...head, ...kept });
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES));
  const key = await keyFrom(passphrase, salt, ITERATIONS);
  const data = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, new TextEncoder().encode(JSON.stringify(kept)));
  const encryption = { cipher: "AES-GCM", key: "PBKDF2-SHA256", iterations: ITERATIONS, salt: toBase64(salt), iv: toBase64(iv) };
  return JSON.stringify({ ...head, encryption, data: toBase64(new Uint8Array(data)) });
}

/** 文件的文字 -> {people, results, bad}：查过的，和没有读的各处（给人看的话）。什么也不能读的抛 BackupError。 */
async function readBackup(text, passphrase) {
  const file = parse(text, t("这个文件坏了，或没有存完整"));
  if (file?.format !== FORMAT) throw new BackupError(t("这不是从这里导出的文件。"));
  if (file.version !== VERSION) {
    throw new BackupError(t`这个文件是别的版本写的（第 ${file.version} 版，这里读第 ${VERSION} 版）。请刷新网页再试。`);
  }
  const kept = file.encryption ? parse(await decrypt(file, passphrase), t("解开了，里面却不完整")) : file;
  return sortOut(kept);
}

/**
 * 读回来的并进库里，一个事务。返回 {added, same, differing}：新添的、本来就有的、同一份而内容不同的（两份都留）。
 * 已经有的人，名字等照这台设备上的。
 */
const mergeBackup = (kept) => inDatabase("readwrite", async (results, people) => {
  const count = { added: 0, same: 0, differing: 0 };
  const present = await settled(people.getAll());
  for (const person of kept.people) {
    // 这里已经有人，就还是现在的人，不换成读回来的
    if (!present.some(({ id }) => id === person.id)) people.put(present.length ? { ...person, chosenAt: 0 } : person);
  }
  for (const record of kept.results) {
    let { savedAt } = record;
    let old = await settled(results.get(savedAt));
    const isTaken = Boolean(old);
    while (old && !isSame(old, record)) old = await settled(results.get((savedAt += 1)));
    if (old) count.same += 1;
    else {
      results.put(isTaken ? { ...record, savedAt, copyOf: record.copyOf ?? record.savedAt } : record);
      count[isTaken ? "differing" : "added"] += 1;
    }
  }
  await dropBlank(results, people);
  return count;
});

/** 移到别人名下的，还是同一份。 */
const content = ({ savedAt, copyOf, person, ...rest }) => JSON.stringify(rest);
const isSame = (one, other) => content(one) === content(other);

function parse(text, words) {
  try {
    return JSON.parse(text, (key, value) => (key === "__proto__" ? undefined : value));
  } catch {
    throw new BackupError(t`${words}。`);
  }
}

// ---- 加密 ----

async function keyFrom(passphrase, salt, iterations) {
  // NFKC：同样的字，各家输入法给的编码不同（全角、合成的声调）
  const secret = new TextEncoder().encode(passphrase.normalize("NFKC"));
  const material = await crypto.subtle.importKey("raw", secret, "PBKDF2", false, ["deriveKey"]);
  const how = { name: "PBKDF2", hash: "SHA-256", salt, iterations };
  return crypto.subtle.deriveKey(how, material, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

async function decrypt({ encryption, data }, passphrase) {
  const { cipher, key, iterations } = encryption;
  if (cipher !== "AES-GCM" || key !== "PBKDF2-SHA256" || !(iterations >= ITERATIONS && iterations <= MOST_ITERATIONS)) {
    throw new BackupError(t("这个文件的加密方法，这里不认得。"));
  }
  if (!canEncrypt) throw new BackupError(t("这个文件加了密，要用 https 的地址打开网页才解得开。"));
  if (!passphrase) throw new BackupError(t("这个文件加了密，请填导出时的口令。"), true);
  try {
    const [salt, iv, bytes] = [encryption.salt, encryption.iv, data].map(fromBase64);
    const made = await keyFrom(passphrase, salt, iterations);
    return new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, made, bytes));
  } catch {
    throw new BackupError(t("解不开：口令不对，或文件被改过。"), true);
  }
}

// 一次转几万个：一个个地接太慢，全部展开会爆栈
function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

const fromBase64 = (text) => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));

// ---- 查：每一栏是什么样子 ----

// 几十万字的一栏，打开它网页就不动了
const textUpTo = (most) => (value) => typeof value === "string" && value.length <= most;
const isText = textUpTo(10_000);
const isName = textUpTo(100);
const isTrueOrFalse = (value) => typeof value === "boolean";
const isWhole = (value) => Number.isSafeInteger(value) && value >= 0;
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const oneOf = (...words) => (value) => words.includes(value);
const orNone = (is) => (value) => value == null || is(value);
const listOf = (is) => (value) => Array.isArray(value) && value.length <= 5_000 && value.every(is);
const between = (least, most) => (value) => isWhole(value) && value >= least && value <= most;
const fits = (fields) => (value) => isObject(value) && Object.entries(fields).every(([name, is]) => is(value[name]));
const isNumber = Number.isFinite;
const isDecimal = (value) => isText(value) && /^[+-]?\d/.test(value) && isNumber(Number(value));
/** 2026-02-30 这样没有的日子不算。 */
const isTime = (value) => {
  if (!isText(value) || !/^\d{4}-\d\d-\d\d(T\d\d:\d\d)?$/.test(value)) return false;
  const time = new Date(value.length === 10 ? value : `${value}Z`);
  return isNumber(time.getTime()) && time.toISOString().startsWith(value);
};
const orNull = (is) => (value) => value === null || is(value);

const isId = (value) => isName(value) && value !== "";
const PERSON = { id: isId, name: isName, sex: orNone(oneOf("男", "女")), birthYear: orNone(between(1900, 2100)), chosenAt: isWhole };
const ITEM = {
  name: isText, code: isText, result: isText, unit: isText, reference_range: isText, mark: orNone(isText),
  flag: oneOf("normal", "high", "low", "abnormal", "unknown"),
  severity: orNone(oneOf("slight", "moderate", "marked", "severe", "grave")),
  critical: isTrueOrFalse, range_source: oneOf("printed", "catalogue", "none"), applied_range: isText, note: orNone(isText),
  scale: orNone(fits({ value: isNumber, low: orNone(isNumber), high: orNone(isNumber) })),
  boxes: orNone((boxes) => isObject(boxes) && Object.values(boxes).every((box) => listOf(isNumber)(box) && box.length === 4)),
  page: orNone(isWhole), report_type: orNone(isText), other_reading: orNone(isText), doubt: orNone(isText),
  tracked: orNone(fits({
    analyte: isText, name: isText, unit: isText, value: orNull(isDecimal), low: orNull(isDecimal), high: orNull(isDecimal),
    change_percent: orNone(isNumber),
  })),
};
const REPORT = {
  report_type: isText, sex: orNone(oneOf("男", "女")), age: orNone(isText), told: orNone(listOf(isText)),
  origin: orNone(fits({
    collected: orNone(fits({ value: isTime })), received: orNone(fits({ value: isTime })), reported: orNone(fits({ value: isTime })),
    performer: orNone(fits({ value: isText })), specimen: orNone(fits({ value: isText })),
  })),
  triage: oneOf("none", "routine", "soon", "urgent"), when: orNone(oneOf("now", "today", "days", "weeks")),
  notices: listOf(isText), doubts: orNone(listOf(isText)), items: listOf(fits(ITEM)),
};
const RESULT = {
  savedAt: between(0, Date.UTC(2100)), person: isId, report: fits(REPORT), advice_html: textUpTo(1_000_000), engines: fits({ vision: isText, advice: isText }),
  disclaimer: orNone(isText), example: orNone(isTrueOrFalse), copyOf: orNone(isWhole),
};

/** 一份坏了，别的照读；人填的内容坏了的只留名字，他的结果不丢。同一个人写了两次用先写的。以后添的栏照留。 */
function sortOut(kept) {
  if (!isObject(kept) || ![kept.people, kept.results].every(Array.isArray)) throw new BackupError(t("文件里的内容不对：没有人与结果。"));
  const bad = [];
  const people = new Map();
  kept.people.forEach((one, at) => {
    const isGood = fits(PERSON)(one);
    if (!isGood) bad.push(t`第 ${at + 1} 个人填的内容`);
    if (!isId(one?.id) || people.has(one.id)) return;
    const { id, name, chosenAt } = one;
    // 将来的时刻会让他总是现在的人
    people.set(id, isGood ? { ...one, chosenAt: Math.min(chosenAt, Date.now()) } : newPerson({ id, name: isName(name) ? name : "", chosenAt: 0 }));
  });
  const results = kept.results.filter((one, at) => {
    const isGood = fits(RESULT)(one) && people.has(one.person);
    const title = one?.report?.report_type;
    if (!isGood) bad.push(t`第 ${at + 1} 份结果${isName(title) ? t`（${title}）` : ""}`);
    return isGood;
  });
  if (bad.length && !results.length) throw new BackupError(t`文件里的内容不对：${listed(bad)}。`);
  return { people: [...people.values()], results, bad };
}

const listed = (bad) => bad.slice(0, 5).join(t("、")) + (bad.length > 5 ? t`等 ${bad.length} 处` : "");

// ---- 首页的“导出、读回”：表单与要说的话 ----

const MOST_BYTES = 50_000_000; // 一份结果几十 KB；更大的手机受不了

const exporting = element("export-form");
const importing = element("import-form");
let chosen = null; // 要读回的文件
let refresh = () => {};

const say = sayIn("backup-words");

/** 没有存下什么，就只能读回；读回以后调用 afterImport。 */
export function showBackup(hasKept, afterImport) {
  refresh = afterImport;
  exporting.hidden = !hasKept;
  document.querySelector("#backup summary").textContent = hasKept ? t("导出、读回存下的结果") : t("读回导出过的结果");
  element("export-passphrase").hidden = !canEncrypt;
  element("no-encryption").hidden = canEncrypt;
}

function askPassphrase(isNeeded) {
  for (const part of [element("import-passphrase"), importing.querySelector(".actions")]) part.hidden = !isNeeded;
  if (isNeeded) importing.elements.passphrase.focus();
  else importing.reset();
}

async function exportAll() {
  const passphrase = exporting.elements.passphrase.value;
  say(passphrase ? t("正在加密…") : "");
  const text = await writeBackup(passphrase);
  const saved = download(text, "application/json", t`健康助手-${new Date().toISOString().slice(0, 10)}.json`);
  exporting.reset();
  say(saved + (passphrase ? t("加了密：口令忘了，谁也打不开。") : t("没有加密，谁拿到都能看，请收好。")));
}

async function importAll() {
  const { value: passphrase } = importing.elements.passphrase;
  say(t("正在读…"));
  try {
    if (chosen.size > MOST_BYTES) throw new BackupError(t`文件有 ${Math.round(chosen.size / 1e6)} MB，太大了：不像从这里导出的。`);
    const text = await chosen.text().catch(() => { throw new BackupError(t("这个文件打不开了，请重新选。")); });
    const kept = await readBackup(text, passphrase);
    const { added, same, differing } = await mergeBackup(kept);
    askPassphrase(false);
    await refresh();
    say([
      t`读回了 ${added + differing} 份结果`, same && t`${same} 份本来就有`,
      differing && t`${differing} 份与这里的同一份不一样，两份都留着`,
    ].filter(Boolean).join(t("，")) + t("。") + (kept.bad.length ? t`有 ${kept.bad.length} 处不对，没有读：${listed(kept.bad)}。这个文件请留着。` : ""));
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    askPassphrase(error.needsPassphrase);
    say(error.needsPassphrase && !passphrase ? error.message : t`${error.message}什么也没有读回。`);
  }
}

/** 交了表单就做；做着的时候不能再交。 */
const whileClosed = (form, work) => onSubmit(form, async () => {
  const button = form.querySelector("button");
  button.disabled = true;
  await work().catch(fail).finally(() => { button.disabled = false; });
});

function fail(error) {
  console.warn(error);
  say(t("没有办成：浏览器不许这个网页存东西，或地方不够了。"));
}

whileClosed(exporting, exportAll);
whileClosed(importing, importAll);
element("import-input").addEventListener("change", ({ target }) => {
  [chosen] = target.files;
  if (chosen) importAll().catch(fail);
});
