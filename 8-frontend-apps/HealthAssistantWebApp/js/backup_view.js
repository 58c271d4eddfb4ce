// 首页的“导出、读回”：表单与要说的话。

import { BackupError, canEncrypt, listed, mergeBackup, readBackup, writeBackup } from "./backup.js";
import { element } from "./dom.js";
import { download } from "./export.js";
import { t } from "./language.js";

const MOST_BYTES = 50_000_000; // 一份结果几十 KB；更大的不是这里导出的，整个读进来手机受不了

const exporting = element("export-form");
const importing = element("import-form");
let chosen = null; // 要读回的文件
let refresh = () => {};

const say = (words) => { element("backup-words").textContent = words; };

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
function onSubmit(form, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    await work().catch(fail).finally(() => { button.disabled = false; });
  });
}

function fail(error) {
  console.warn(error);
  say(t("没有办成：浏览器不许这个网页存东西，或地方不够了。"));
}

onSubmit(exporting, exportAll);
onSubmit(importing, importAll);
element("import-input").addEventListener("change", ({ target }) => {
  [chosen] = target.files;
  if (chosen) importAll().catch(fail);
});
