// 结果是谁的：{id, name（自己起的，可以空着）, sex（男、女、null）, birthYear（null）, chosenAt（毫秒，最近选的是现在的）}。

import { inDatabase, newPerson, settled } from "./database.js";
import { t } from "./language.js";

/** 最近选的一个；没有人为 null。 */
export const latest = (people) => people.reduce((last, one) => (one.chosenAt > (last?.chosenAt ?? -1) ? one : last), null);
const isBlank = ({ name, sex, birthYear }) => !name && !sex && !birthYear;

export const nameOf = (person) => person?.name || t("没写名字的");

/** 全部的人，先加的在前；id 从加的时刻开头。一个也没有存过的为空。 */
export const allPeople = () => inDatabase("readonly", (results, people) => settled(people.getAll()));

/**
 * 存下的结果归谁，返回他的 id。id 这个人已经不在（在别的页面里删了）的为 null：归谁要问，不能归到别人名下。
 * 没有 id 的，一个人也没有就新建一个没有名字的；已经有人，也只能归没有名字的那唯一一个。people 是库里的那一处。
 */
export async function ownerIn(people, id) {
  const present = await settled(people.getAll());
  if (id) return present.some((one) => one.id === id) ? id : null;
  if (present.length === 0) return settled(people.put(newPerson()));
  return present.length === 1 && isBlank(present[0]) ? present[0].id : null;
}

/** 改 id 这个人的这几栏，已经不在了的不改；没有 id 的是新的人，存好就是现在的。返回 id，不在了为 null。 */
export const savePerson = ({ id, ...fields }) => inDatabase("readwrite", async (results, people) => {
  if (!id) return settled(people.put(newPerson(fields)));
  const old = await settled(people.get(id));
  return old ? settled(people.put({ ...old, ...fields })) : null;
});

export const choosePerson = (id) => savePerson({ id, chosenAt: Date.now() });

/** 连同他的结果一起删掉。 */
export const deletePerson = (id) => inDatabase("readwrite", async (results, people) => {
  for (const record of await settled(results.getAll())) if (record.person === id) results.delete(record.savedAt);
  return settled(people.delete(id));
});

/** 没有写名字、也没有结果的人，不必留着。 */
export async function dropBlank(results, people) {
  const owners = new Set((await settled(results.getAll())).map(({ person }) => person));
  for (const one of await settled(people.getAll())) if (isBlank(one) && !owners.has(one.id)) people.delete(one.id);
}
