// 结果是谁的：首页上换人、加人、改、删；显示着的一份存了没有，移到谁名下。
import { element, make, makeButton, onSubmit, sayIn } from "./dom.js";
import { allPeople, allResults, choosePerson, deletePerson, latest, moveResult, onOthersChange, savePerson, saveResult } from "./storage.js";
import { t } from "./language.js";
import { dateOf } from "./report_view.js";

// ---- 首页上，有存下的结果时才显示 ----

const place = element("people");
const FIRST_YEAR = 1900;
const [CHILD, ADULT_AGE_YEARS] = ["儿童", 18]; // 服务器照填的年份写的：孩子不猜岁数

/** 给人看的名字；没写名字的不止一个，照加的先后编号。 */
function nameOf(person) {
  const unnamed = device.people.filter(({ name }) => !name);
  const number = unnamed.indexOf(person) + 1;
  return person?.name || (number && unnamed.length > 1 ? t`没写名字的 ${number}` : t("没写名字的"));
}

/** 画出各人；换了、改了以后调用 list 重画首页。返回现在的人，一个也没有为 null。 */
export function showPeople(people, list) {
  const current = latest(people);
  // 按的按钮重画时没有了，焦点到现在的人
  const focus = () => (place.querySelector("[aria-pressed=true]") ?? element("start-title")).focus();
  const refresh = () => list().then(focus);
  const names = people.map((person) => {
    const button = makeButton("chip", nameOf(person), () => choosePerson(person.id).then(refresh));
    button.setAttribute("aria-pressed", person === current);
    return button;
  });
  const close = () => {
    showPeople(people, list);
    focus();
  };
  const edit = (person) => {
    place.replaceChildren(makeForm(person, refresh, close));
    place.querySelector("input").focus();
  };
  const change = makeButton("link", t("改"), () => edit(current));
  change.setAttribute("aria-label", t`改${nameOf(current)}的名字、性别、出生年`);
  place.replaceChildren(make("div", "page-tools", ...names, change, makeButton("link", t("加一个人"), () => edit({}))));
  element("for-whom").hidden = !current?.name && people.length < 2;
  element("for-whom").textContent = t`现在读的是“${nameOf(current)}”的，换人在下面。`;
  return current;
}

/** 判断用的性别、年龄与这个人填的对不上时要说的话：印着的对不上，多半选错了人；不是印着的，是照原来的人填的判断的。对得上为空串。 */
export function mismatchWords(person, report) {
  const { sex, age, told = [] } = report;
  if (!person) return "";
  const isOtherSex = sex && (person.sex || told.includes("sex")) && sex !== person.sex;
  const years = /^(\d{1,3})\s*岁?$/.exec(age ?? "")?.[1];
  const year = Number(dateOf(report).slice(0, 4)) || new Date().getFullYear();
  const own = year - (person.birthYear ?? NaN);
  // 出生的年份只定得到上下一岁
  const isOwnAge = years ? Math.abs(own - years) <= 1 : age !== CHILD || own <= ADULT_AGE_YEARS;
  const isOtherAge = age && (person.birthYear || told.includes("age")) && !isOwnAge;
  if (!isOtherSex && !isOtherAge) return "";
  const differing = [isOtherSex && t(sex), isOtherAge && (years ? t`${years} 岁` : t(age))].filter(Boolean).join(t("、"));
  const isFilled = (isOtherSex && told.includes("sex")) || (isOtherAge && told.includes("age"));
  return isFilled
    ? t`高低是按${differing}判断的，与“${nameOf(person)}”填的对不上，不一定对：要准，请在“${nameOf(person)}”名下重新拍一次。`
    : t`单子上印的是${differing}，与“${nameOf(person)}”填的对不上：看看是不是选错了人。高低按单子上印的判断。`;
}

function makeForm(person, refresh, close) {
  const name = Object.assign(make("input"), { name: "name", value: person.name ?? "", maxLength: 20, autocomplete: "off", required: !person.id });
  const sex = make("select", "", ...["", "女", "男"].map((one) => new Option(t(one || "不填"), one)));
  Object.assign(sex, { name: "sex", value: person.sex ?? "" });
  const limits = { min: FIRST_YEAR, max: new Date().getFullYear(), placeholder: t("不填"), value: person.birthYear ?? "" };
  const year = Object.assign(make("input"), { name: "birthYear", type: "number", inputMode: "numeric", ...limits });
  const remove = person.id && makeButton("link danger", t("删除这个人和他的结果"), () => (
    confirm(t`删除${nameOf(person)}，连同他存下的全部结果？删了找不回来。`) && deletePerson(person.id).then(refresh)));
  const form = make("form", "card correct",
    make("p", "", t("名字自己起，只存在这台设备上。单子上没有印性别、年龄时，按这里填的用参考范围；印着的，总是按印着的。")),
    make("label", "", t("名字，如“妈妈”"), name), make("label", "", t("性别"), sex), make("label", "", t("出生的年份"), year),
    make("div", "actions", make("button", "button primary", t("存好")), makeButton("button", t("不改了"), close)), remove,
  );
  onSubmit(form, () => {
    const filled = { name: name.value.trim(), sex: sex.value || null, birthYear: Number(year.value) || null };
    savePerson({ id: person.id, ...filled }).then((id) => {
      if (!id) alert(t`没有存：“${nameOf(person)}”在别的页面里删掉了。`);
      refresh();
    });
  });
  return form;
}

// ---- 显示着的一份。别的页面也许开着同一个库，所以存、移时先看人还在不在 ----

export const device = { kept: [], people: [] };
const NEW = "new";
const [save, select] = [element("save-button"), element("owner-select")];
let isSaved = false;
const seen = new Map(); // savedAt -> 库里的那一份在这个页面里最后见到的样子，存时看别的页面改过没有

export async function loadDevice() {
  const [kept, people] = await Promise.all([allResults(), allPeople()]).catch(() => [[], []]); // 浏览器不许网页存东西
  Object.assign(device, { kept, people });
}

/** 显示着的就是存着的，没有改过。 */
export const isKept = () => isSaved;

export const ownerOf = ({ person }) => device.people.find(({ id }) => id === person);

const say = sayIn("done-words");
const storedOf = (record) => device.kept.find(({ savedAt }) => savedAt === record.savedAt);
const textOf = ({ report }) => JSON.stringify(report);
const isAsSeen = (stored) => seen.get(stored.savedAt) === textOf(stored);

/** 画存的按钮与“这份是谁的”；isDone：record 就是存着的。不知道是谁的（在别的页面里删掉了）请人选。 */
export function offerSaving(record, isDone) {
  isSaved = isDone;
  if (isDone) seen.set(record.savedAt, textOf(record));
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
    await loadDevice();
    const stored = storedOf(record);
    if (stored && !isAsSeen(stored) && !confirm(t("这一份在别的页面里改过，也存了。要用眼前的盖过它吗？"))) return undefined;
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
    if (owner) element("print-button").focus(); // 存的按不了了
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
    if (isSaved && stored && !isAsSeen(stored)) say(t("这一份在别的页面里改过了，这里是改之前的。"));
    if (stored) record.person = stored.person;
    offerSaving(record, isSaved && Boolean(stored) && isAsSeen(stored));
  });
}
