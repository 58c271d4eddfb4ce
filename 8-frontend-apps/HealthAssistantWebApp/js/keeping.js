// 显示着的一份：存了没有，是谁的。别的页面也许开着同一个库，所以存、移时先看人还在不在。

import { onOthersChange } from "./database.js";
import { element } from "./dom.js";
import { allResults, moveResult, saveResult } from "./history.js";
import { t } from "./language.js";
import { allPeople, nameOf, savePerson } from "./people.js";

/** 库里的全部结果（新的在前）与人。 */
export const device = { kept: [], people: [] };
const NEW = "new";
const [save, select] = [element("save-button"), element("owner-select")];
let isSaved = false;

export async function loadDevice() {
  const [kept, people] = await Promise.all([allResults(), allPeople()]).catch(() => [[], []]); // 浏览器不许网页存东西
  Object.assign(device, { kept, people });
}

/** 显示着的就是存着的，没有改过。 */
export const isKept = () => isSaved;

/** record 是谁的；没有、已经删掉的为 undefined。 */
export const ownerOf = ({ person }) => device.people.find(({ id }) => id === person);

const say = (words) => { element("done-words").textContent = words; };
const storedOf = (record) => device.kept.find(({ savedAt }) => savedAt === record.savedAt);

/** 画存的按钮与“这份是谁的”；isDone：record 就是存着的。不知道是谁的（在别的页面里删掉了）请人选。 */
export function offerSaving(record, isDone) {
  isSaved = isDone;
  const owner = ownerOf(record);
  save.disabled = isSaved;
  save.textContent = isSaved ? t("已经存在这台设备上") : t`存在这台设备上${owner?.name ? t`：${owner.name}` : ""}`;
  element("owner").hidden = device.people.length === 0;
  element("owner-words").textContent = isSaved ? t("这份是谁的？选别人，就移到他名下") : t("这份是谁的？");
  select.replaceChildren(
    ...(owner ? [] : [new Option(t("请选"), "")]), ...device.people.map((one) => new Option(nameOf(one), one.id)), new Option(t("别的人…"), NEW));
  select.value = owner?.id ?? "";
}

/** shown() 是显示着的一份，没有为 null；draw(record) 重画；refresh() 是库改了以后重画首页。 */
export function setUpKeeping(shown, draw, refresh) {
  save.addEventListener("click", async () => {
    const record = shown();
    let owner;
    try {
      owner = await saveResult(record);
    } catch {
      return say(t("没有存成：浏览器不许这个网页存东西。可以打印或复制文字。"));
    }
    await refresh();
    if (shown() !== record) return; // 已经换了屏
    const { length } = device.people;
    if (owner) record.person = owner;
    else if (!length) delete record.person;
    offerSaving(record, Boolean(owner));
    if (owner) return say(t("存好了：只在这台设备里，不含照片。在首页可以打开，也可以一按全部清除。"));
    say(t`没有存：原来的人在别的页面里删掉了。${length ? t("请在上面选这份是谁的，再存。") : t("要留着，就再按一次。")}`);
    (length ? select : save).focus();
  });

  select.addEventListener("change", async () => {
    const record = shown();
    const { value } = select;
    select.value = ownerOf(record)?.id ?? ""; // 没有办成，就还是原来的
    const typed = value === NEW && prompt(t("名字自己起，如“妈妈”"))?.trim().slice(0, 20);
    const found = device.people.find(({ id, name }) => (value === NEW ? typed && name === typed : id === value));
    if (!found && !typed) return;
    const person = found?.id ?? await savePerson({ name: typed, chosenAt: 0 }); // 新的人不换成现在的人
    const isStored = Boolean(storedOf(record));
    const isMoved = isStored && await moveResult(record.savedAt, person);
    if (!isStored || isMoved) record.person = person;
    await refresh();
    if (shown() !== record) return;
    draw(record); // “上次”、与单子对不对得上，都照这个人的
    offerSaving(record, isSaved && isMoved);
    const name = nameOf(ownerOf(record));
    if (isMoved) say(t`移到“${name}”名下了。在首页选“${name}”，就看得到。`);
    else if (isStored) say(t("没有移：这一份或这个人在别的页面里删掉了。"));
  });

  onOthersChange(async () => {
    await refresh();
    const record = shown();
    if (!record) return;
    const stored = storedOf(record);
    if (isSaved && !stored) say(t("这一份在别的页面里删掉了。要留着，就再存一次。"));
    if (stored) record.person = stored.person;
    offerSaving(record, isSaved && Boolean(stored));
  });
}
