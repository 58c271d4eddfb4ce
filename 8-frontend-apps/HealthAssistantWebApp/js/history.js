// 存在这台设备上的结果：人点了才存，不含照片，一按全清。

import { dropDatabase, inDatabase, settled } from "./database.js";
import { dropBlank, ownerIn } from "./people.js";

/** record 是 {savedAt, person, report, advice_html, engines, disclaimer}，示例有 example，读回时并排留下的有 copyOf；savedAt（毫秒）相同的覆盖。归谁见 ownerIn；返回他的 id，要问人的为 null，没有存。 */
export const saveResult = (record) => inDatabase("readwrite", async (results, people) => {
  const person = await ownerIn(people, record.person);
  if (person) await settled(results.put({ ...record, person }));
  return person;
});

/** 存下的一份移到 person（id）名下；这一份、这个人在别的页面里删掉了的为 false。 */
export const moveResult = (savedAt, person) => inDatabase("readwrite", async (results, people) => {
  const [record, owner] = [await settled(results.get(savedAt)), await settled(people.get(person))];
  if (!record || !owner) return false;
  await settled(results.put({ ...record, person }));
  await dropBlank(results, people);
  return true;
});

/** 每个人的全部记录，新的在前。 */
export const allResults = () => inDatabase("readonly", async (results) => (await settled(results.getAll())).reverse());

export const deleteResult = (savedAt) => inDatabase("readwrite", async (results, people) => {
  await settled(results.delete(savedAt));
  return dropBlank(results, people);
});

/** 每个人的，连同人。 */
export const clearResults = dropDatabase;
