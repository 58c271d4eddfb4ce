// 结果下面的“这份是谁的”：没有存的，存在选的人名下；存了的，移过去。

import { element } from "./dom.js";
import { nameOf, savePerson } from "./people.js";

const NEW = "new";
const select = element("owner-select");
let shown = []; // 显示着的各人
let chosen = "";

/** 有人才显示。id 这个人不在里面（没有选过，或在别的页面里删掉了）的，请人选。 */
export function showOwner(people, id) {
  const isKnown = people.some((one) => one.id === id);
  [shown, chosen] = [people, isKnown ? id : ""];
  element("owner").hidden = people.length === 0;
  select.replaceChildren(
    ...(isKnown ? [] : [new Option("请选", "")]), ...people.map((one) => new Option(nameOf(one), one.id)), new Option("别的人…", NEW));
  select.value = chosen;
}

/** 人选了别的人：work(id, 名字)。新的人先问名字、存好，但不换成现在的人。 */
export function onOwnerPick(work) {
  select.addEventListener("change", async () => {
    const { value } = select;
    select.value = chosen; // 没有办成，就还是原来的
    const name = value === NEW && prompt("名字自己起，如“妈妈”")?.trim().slice(0, 20);
    const found = shown.find((one) => (value === NEW ? one.name === name : one.id === value));
    if (found) work(found.id, nameOf(found));
    else if (name) work(await savePerson({ name, chosenAt: 0 }), name);
  });
}
