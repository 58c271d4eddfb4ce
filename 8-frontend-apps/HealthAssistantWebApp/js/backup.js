// 存下的全部结果 ⇄ 一个文件。给了口令就加密；读回来的先查一遍，不对就什么也不读。

import { inDatabase, settled } from "./database.js";
import { dropBlank } from "./people.js";

const FORMAT = "health-assistant-kept";
const VERSION = 1;
/** OWASP Password Storage Cheat Sheet：PBKDF2-HMAC-SHA256 至少 60 万次。上限免得一个坏文件让手机算上几小时。 */
const ITERATIONS = 600_000;
const MOST_ITERATIONS = 10_000_000;
const SALT_BYTES = 16; // NIST SP 800-132：至少 128 位
const IV_BYTES = 12; // NIST SP 800-38D：GCM 用 96 位

/** http 的局域网地址不是“安全上下文”，浏览器不给 crypto.subtle。 */
export const canEncrypt = Boolean(globalThis.crypto?.subtle);

/** 不能读回的文件；message 给人看。needsPassphrase：加了密，还没有给口令。 */
export class BackupError extends Error {
  constructor(message, needsPassphrase = false) {
    super(message);
    this.needsPassphrase = needsPassphrase;
  }
}

/** 全部的人与结果写成文件的文字；passphrase 空着就不加密。 */
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

/** 文件的文字 -> {people, results}，都查过。不能读的抛 BackupError。 */
export async function readBackup(text, passphrase) {
  const file = parse(text, "这个文件坏了，或没有存完整");
  if (file?.format !== FORMAT) throw new BackupError("这不是从这里导出的文件。");
  if (file.version !== VERSION) {
    throw new BackupError(`这个文件是别的版本写的（第 ${file.version} 版，这里读第 ${VERSION} 版）。请刷新网页再试。`);
  }
  const kept = file.encryption ? parse(await decrypt(file, passphrase), "解开了，里面却不完整") : file;
  const wrong = findWrong(kept);
  if (wrong) throw new BackupError(`文件里的内容不对：${wrong}。`);
  return { people: kept.people, results: kept.results };
}

/**
 * 读回来的并进库里，一个事务。返回 {added, same, differing}：新添的、本来就有的、同一份而内容不同的（两份都留）。
 * 已经有的人，名字等照这台设备上的。
 */
export const mergeBackup = (kept) => inDatabase("readwrite", async (results, people) => {
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
      results.put({ ...record, savedAt });
      count[isTaken ? "differing" : "added"] += 1;
    }
  }
  await dropBlank(results, people);
  return count;
});

const isSame = (one, other) => JSON.stringify({ ...one, savedAt: 0 }) === JSON.stringify({ ...other, savedAt: 0 });

function parse(text, words) {
  try {
    return JSON.parse(text);
  } catch {
    throw new BackupError(`${words}。`);
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
    throw new BackupError("这个文件的加密方法，这里不认得。");
  }
  if (!canEncrypt) throw new BackupError("这个文件加了密，要用 https 的地址打开网页才解得开。");
  if (!passphrase) throw new BackupError("这个文件加了密，请填导出时的口令。", true);
  let [salt, iv, bytes] = [];
  try {
    [salt, iv, bytes] = [encryption.salt, encryption.iv, data].map(fromBase64);
  } catch {
    throw new BackupError("这个文件坏了，或没有存完整。");
  }
  try {
    const made = await keyFrom(passphrase, salt, iterations);
    return new TextDecoder().decode(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, made, bytes));
  } catch {
    throw new BackupError("解不开：口令不对，或文件被改过。", true);
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

const isText = (value) => typeof value === "string";
const isTrueOrFalse = (value) => typeof value === "boolean";
const isWhole = (value) => Number.isSafeInteger(value) && value >= 0;
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
const oneOf = (...words) => (value) => words.includes(value);
const orNone = (is) => (value) => value == null || is(value);
const listOf = (is) => (value) => Array.isArray(value) && value.every(is);
const fits = (fields) => (value) => isObject(value) && Object.entries(fields).every(([name, is]) => is(value[name]));
const isNumber = Number.isFinite;
const isDecimal = (value) => isText(value) && /^[+-]?\d/.test(value) && isNumber(Number(value));
const isTime = (value) => isText(value) && /^\d{4}-\d\d-\d\d(T\d\d:\d\d)?$/.test(value) && !Number.isNaN(Date.parse(value));
const orNull = (is) => (value) => value === null || is(value);

const PERSON = { id: isText, name: isText, sex: orNone(oneOf("男", "女")), birthYear: orNone(isWhole), chosenAt: isWhole };
const ITEM = {
  name: isText, code: isText, result: isText, unit: isText, reference_range: isText, mark: orNone(isText),
  flag: oneOf("normal", "high", "low", "abnormal", "unknown"),
  severity: orNone(oneOf("slight", "moderate", "marked", "severe", "grave")),
  critical: isTrueOrFalse, range_source: oneOf("printed", "catalogue", "none"), applied_range: isText, note: orNone(isText),
  scale: orNone(fits({ value: isNumber, low: orNone(isNumber), high: orNone(isNumber) })),
  boxes: orNone((boxes) => isObject(boxes) && Object.values(boxes).every(listOf(isNumber))),
  page: orNone(isWhole), report_type: orNone(isText), other_reading: orNone(isText), doubt: orNone(isText),
  tracked: orNone(fits({
    analyte: isText, name: isText, unit: isText, value: orNull(isDecimal), low: orNull(isDecimal), high: orNull(isDecimal),
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
  savedAt: isWhole, person: isText, report: fits(REPORT), advice_html: isText, engines: fits({ vision: isText, advice: isText }),
  disclaimer: orNone(isText),
};

/** 第一处不对的地方，给人看；都对为空串。以后添的栏照留。 */
function findWrong(kept) {
  if (!isObject(kept) || !Array.isArray(kept.people) || !Array.isArray(kept.results)) return "没有人与结果";
  const person = kept.people.findIndex((one) => !fits(PERSON)(one));
  if (person >= 0) return `第 ${person + 1} 个人`;
  const known = new Set(kept.people.map(({ id }) => id));
  const result = kept.results.findIndex((one) => !fits(RESULT)(one) || !known.has(one.person));
  return result >= 0 ? `第 ${result + 1} 份结果` : "";
}
