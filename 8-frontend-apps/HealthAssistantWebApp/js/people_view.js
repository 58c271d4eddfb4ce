// 首页上的“谁的结果”：换人、加人、改、删。有存下的结果时才显示。

import { element, make, makeButton } from "./dom.js";
import { t } from "./language.js";
import { dateOf } from "./origin_view.js";
import { choosePerson, deletePerson, latest, nameOf, savePerson } from "./people.js";

const place = element("people");
const FIRST_YEAR = 1900;
const [CHILD, ADULT_AGE_YEARS] = ["儿童", 18]; // 服务器照填的年份写的：孩子不猜岁数

/** 画出各人；换了、改了以后调用 refresh。返回现在的人，一个也没有为 null。 */
export function showPeople(people, refresh) {
  const current = latest(people);
  const names = people.map((person) => {
    const button = makeButton("chip", nameOf(person), () => choosePerson(person.id).then(refresh));
    button.setAttribute("aria-pressed", person === current);
    return button;
  });
  const edit = (person) => {
    place.replaceChildren(makeForm(person, refresh, () => showPeople(people, refresh)));
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
  const name = make("input");
  Object.assign(name, { name: "name", value: person.name ?? "", maxLength: 20, autocomplete: "off", required: !person.id });
  const sex = make("select", "", ...["", "女", "男"].map((one) => new Option(t(one || "不填"), one)));
  Object.assign(sex, { name: "sex", value: person.sex ?? "" });
  const year = make("input");
  const limits = { min: FIRST_YEAR, max: new Date().getFullYear(), placeholder: t("不填"), value: person.birthYear ?? "" };
  Object.assign(year, { name: "birthYear", type: "number", inputMode: "numeric", ...limits });
  const remove = person.id && makeButton("link danger", t("删除这个人和他的结果"), () => (
    confirm(t`删除${nameOf(person)}，连同他存下的全部结果？删了找不回来。`) && deletePerson(person.id).then(refresh)));
  const form = make("form", "card correct",
    make("p", "", t("名字自己起，只存在这台设备上。单子上没有印性别、年龄时，按这里填的用参考范围；印着的，总是按印着的。")),
    make("label", "", t("名字，如“妈妈”"), name), make("label", "", t("性别"), sex), make("label", "", t("出生的年份"), year),
    make("div", "actions", make("button", "button primary", t("存好")), makeButton("button", t("不改了"), close)), remove,
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const filled = { name: name.value.trim(), sex: sex.value || null, birthYear: Number(year.value) || null };
    savePerson({ id: person.id, ...filled }).then((id) => {
      if (!id) alert(t`没有存：“${nameOf(person)}”在别的页面里删掉了。`);
      refresh();
    });
  });
  return form;
}
