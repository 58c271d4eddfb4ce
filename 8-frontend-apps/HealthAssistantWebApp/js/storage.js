// 存在这台设备上的（IndexedDB）：人点了才存的结果，不含照片，和结果是谁的。
const NAME = "health-assistant";
const [RESULTS, PEOPLE] = ["results", "people"];

/**
 * work(results, people) 在一个事务里办完：不成就一样也没有改。返回 work 的结果。
 * results 的一条是 {savedAt, person, report, advice_html, engines, disclaimer}，示例有 example，读回时并排留下的有 copyOf；
 * people 的一条是 {id, name（自己起的，可以空着）, sex（男、女、null）, birthYear（null）, chosenAt（毫秒，最近选的是现在的）}。
 */
export async function inDatabase(mode, work) {
  const opening = indexedDB.open(NAME, 2);
  opening.onupgradeneeded = ({ oldVersion }) => upgrade(opening.result, opening.transaction, oldVersion);
  const database = await settled(opening);
  try {
    const transaction = database.transaction([RESULTS, PEOPLE], mode);
    const finished = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error);
    });
    const working = work(transaction.objectStore(RESULTS), transaction.objectStore(PEOPLE)).catch((error) => {
      transaction.abort();
      throw error;
    });
    const [answer] = await Promise.all([working, finished]);
    if (mode === "readwrite") tellOthers();
    return answer;
  } finally {
    database.close();
  }
}

/** 每个人的结果连同人，整个库都删掉，空的也不留。 */
export const clearResults = () => settled(indexedDB.deleteDatabase(NAME)).then(tellOthers);

/** 告诉开着的别的页面：库改了。localStorage 里不留东西。 */
function tellOthers() {
  try {
    localStorage.setItem(NAME, "changed");
    localStorage.removeItem(NAME);
  } catch {
    // 存的时候库里还会再查
  }
}

/** 别的页面改了库，就叫 listener。 */
export const onOthersChange = (listener) => addEventListener("storage", ({ key, newValue }) => key === NAME && newValue && listener());

export function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** 没有写名字的一个人。号码随机：两台设备上的不会当成一个人。 */
export function newPerson(fields) {
  const random = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id: `${Date.now()}-${random}`, name: "", sex: null, birthYear: null, chosenAt: Date.now(), ...fields };
}

function upgrade(database, transaction, oldVersion) {
  const people = database.createObjectStore(PEOPLE, { keyPath: "id" });
  if (oldVersion === 0) {
    database.createObjectStore(RESULTS, { keyPath: "savedAt" });
    return;
  }
  // 第 1 版不分人：以前存下的都归没有写名字的一个人
  const owner = newPerson();
  const walking = transaction.objectStore(RESULTS).openCursor();
  walking.onsuccess = () => {
    const cursor = walking.result;
    if (!cursor) return;
    people.put(owner);
    cursor.update({ ...cursor.value, person: owner.id });
    cursor.continue();
  };
}

// ---- 结果 ----

/** savedAt（毫秒）相同的覆盖。归谁见 ownerIn；返回他的 id，要问人的为 null，没有存。 */
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

export const allResults = () => inDatabase("readonly", async (results) => (await settled(results.getAll())).reverse());

export const deleteResult = (savedAt) => inDatabase("readwrite", async (results, people) => {
  await settled(results.delete(savedAt));
  return dropBlank(results, people);
});

// ---- 人 ----

export const latest = (people) => people.reduce((last, one) => (one.chosenAt > (last?.chosenAt ?? -1) ? one : last), null);
const isBlank = ({ name, sex, birthYear }) => !name && !sex && !birthYear;

/** 全部的人，先加的在前；id 从加的时刻开头。一个也没有存过的为空。 */
export const allPeople = () => inDatabase("readonly", (results, people) => settled(people.getAll()));

/**
 * 存下的结果归谁，返回他的 id。id 这个人已经不在（在别的页面里删了）的为 null：归谁要问，不能归到别人名下。
 * 没有 id 的，一个人也没有就新建一个没有名字的；已经有人，也只能归没有名字的那唯一一个。people 是库里的那一处。
 */
async function ownerIn(people, id) {
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

export const deletePerson = (id) => inDatabase("readwrite", async (results, people) => {
  for (const record of await settled(results.getAll())) if (record.person === id) results.delete(record.savedAt);
  return settled(people.delete(id));
});

/** 没有写名字、也没有结果的人，不必留着。 */
export async function dropBlank(results, people) {
  const owners = new Set((await settled(results.getAll())).map(({ person }) => person));
  for (const one of await settled(people.getAll())) if (isBlank(one) && !owners.has(one.id)) people.delete(one.id);
}
