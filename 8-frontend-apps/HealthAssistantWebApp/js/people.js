// 结果是谁的：{id, name（自己起的，可以空着）, sex（男、女、null）, birthYear（null）, chosenAt（毫秒，最近选的是现在的）}。

import { inDatabase, newPerson, settled } from "./database.js";
import { t } from "./language.js";

/** 最近选的一个；没有人为 null。 */
export const latest = (people) => people.reduce((last, one) => (one.chosenAt > (last?.chosenAt ?? -1) ? one : last), null);
const isBlank = ({ name, sex, birthYear }) => !name && !sex && !birthYear;

export const nameOf = (person) => person?.name || t("没写名字的");

/** 全部的人，先加的在前；id 从加的时刻开头。一个也没有存过的为空。 */
export const allPeople = () => inDatabase("readonly", (results, people) => settled(people.getAll()));

/** 存下的结果归谁：id 这个人，没有（也许在别的标签页里删了）归现在的，一个也没有就新建一个没有名字的。people 是库里的那一处。 */
export async function ownerIn(people, id) {
  const present = await settled(people.getAll());
  const found = present.find((one) => one.id === id) ?? latest(present);
  if (found) return found;
  const person = newPerson();
  await settled(people.put(person));
  return person;
}

/** 新的人没有 id，存好就是现在的。 */
export const savePerson = (person) => inDatabase("readwrite", (results, people) => (
  settled(people.put(person.id ? person : newPerson(person)))));

export const choosePerson = (person) => savePerson({ ...person, chosenAt: Date.now() });

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
