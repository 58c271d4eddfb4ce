// 显示着的一份：存在这台设备上没有，是谁的。别的页面也开着同一个库，所以存、移都先看人还在不在。

import { onOthersChange } from "./database.js";
import { element } from "./dom.js";
import { allResults, moveResult, saveResult } from "./history.js";
import { onOwnerPick, showOwner } from "./owner_view.js";
import { allPeople } from "./people.js";

/** 库里的全部结果（新的在前）与人；loadDevice 时取。 */
export const device = { kept: [], people: [] };
let isSaved = false;

/** 显示着的就是存着的：没有改过，也没有在别的页面里删掉。 */
export const isKept = () => isSaved;

export async function loadDevice() {
  const [kept, people] = await Promise.all([allResults(), allPeople()]).catch(() => [[], []]); // 浏览器不许网页存东西
  Object.assign(device, { kept, people });
}

/** record 是谁的；没有存过、已经删掉的为 undefined。 */
export const ownerOf = ({ person }) => device.people.find(({ id }) => id === person);

const say = (words) => { element("done-words").textContent = words; };
const storedOf = (record) => device.kept.find(({ savedAt }) => savedAt === record.savedAt);

/** 画存的按钮与“这份是谁的”；isDone：record 就是存着的。 */
export function offerSaving(record, isDone) {
  isSaved = isDone;
  const name = ownerOf(record)?.name;
  element("save-button").disabled = isSaved;
  element("save-button").textContent = isSaved ? "已经存在这台设备上" : `存在这台设备上${name ? `：${name}` : ""}`;
  element("owner-words").textContent = isSaved ? "这份是谁的？选别人，就移到他名下" : "这份是谁的？";
  showOwner(device.people, record.person);
}

/** shown() 是显示着的一份，没有为 null；draw(record) 重画；refresh() 是库改了以后重画首页。 */
export function setUpKeeping(shown, draw, refresh) {
  element("save-button").addEventListener("click", async () => {
    const record = shown();
    let owner;
    try {
      owner = await saveResult(record);
    } catch {
      return say("没有存成：浏览器不许这个网页存东西。可以打印或复制文字。");
    }
    await refresh();
    if (shown() !== record) return; // 已经换了屏
    if (!owner) return askWhose(record);
    record.person = owner;
    offerSaving(record, true);
    say("存好了：只在这台设备里，不含照片。在首页可以打开，也可以一按全部清除。");
  });

  onOwnerPick(async (person, name) => {
    const record = shown();
    const isStored = Boolean(storedOf(record));
    const isMoved = isStored && await moveResult(record.savedAt, person);
    if (!isStored || isMoved) record.person = person;
    await refresh();
    if (shown() !== record) return;
    draw(record); // “上次”、与单子对不对得上，都照这个人的
    offerSaving(record, isSaved && isMoved);
    if (isMoved) say(`移到“${name}”名下了。在首页选“${name}”，就看得到。`);
    else if (isStored) say("没有移：这一份或这个人在别的页面里删掉了。");
  });

  onOthersChange(async () => {
    await refresh();
    const record = shown();
    if (!record) return;
    const stored = storedOf(record);
    if (isSaved && !stored) say("这一份在别的页面里删掉了。要留着，就再存一次。");
    if (stored) record.person = stored.person;
    offerSaving(record, isSaved && Boolean(stored));
  });
}

/** 这个人在别的页面里删掉了：不能归到别人名下。 */
function askWhose(record) {
  const { people } = device;
  if (!people.length) delete record.person;
  offerSaving(record, false);
  say(`没有存：原来的人在别的页面里删掉了。${people.length ? "请在上面选这份是谁的，再存。" : "要留着，就再按一次。"}`);
  element(people.length ? "owner-select" : "save-button").focus();
}
