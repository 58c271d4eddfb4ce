// 存在这台设备上的结果：人点了才存，不含照片，一按全清。

import { dropDatabase, inDatabase, settled } from "./database.js";
import { dropBlank, ownerIn } from "./people.js";

/** record 是 {savedAt, person, report, advice_html, engines, disclaimer}，示例有 example，读回时并排留下的有 copyOf；savedAt（毫秒）相同的覆盖，没有写 person 的归现在的人。 */
export const saveResult = (record) => inDatabase("readwrite", async (results, people) => (
  settled(results.put({ ...record, person: (await ownerIn(people, record.person)).id }))));

/** 每个人的全部记录，新的在前。 */
export const allResults = () => inDatabase("readonly", async (results) => (await settled(results.getAll())).reverse());

export const deleteResult = (savedAt) => inDatabase("readwrite", async (results, people) => {
  await settled(results.delete(savedAt));
  return dropBlank(results, people);
});

/** 每个人的，连同人。 */
export const clearResults = dropDatabase;
