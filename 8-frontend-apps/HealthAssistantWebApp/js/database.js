// 这台设备上的库（IndexedDB）：存下的结果，和结果是谁的。别的模块经过这里读写。

const NAME = "health-assistant";
const [RESULTS, PEOPLE] = ["results", "people"];

/**
 * work(results, people) 在一个事务里办完：不成就一样也没有改。返回 work 的结果。
 * results 的一条是 {savedAt, person, report, …}（见 history.js），people 的一条见 people.js。
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

/** 整个库都删掉，空的也不留。 */
export const dropDatabase = () => settled(indexedDB.deleteDatabase(NAME)).then(tellOthers);

/** 告诉开着的别的页面：库改了。localStorage 里不留东西；浏览器不许存的，别的页面就不知道。 */
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

/** 没有写名字的一个人。号码随机：两台设备上没有写名字的，读到一处也不会当成一个人。 */
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
