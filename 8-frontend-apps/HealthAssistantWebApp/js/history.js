// 存在这台设备上的结果（IndexedDB）：人点了才存，不含照片，一按全清。

const STORE = "results";

/** record 是 {savedAt, report, advice_html, engines, disclaimer}；savedAt（毫秒）相同的覆盖。 */
export const saveResult = (record) => inStore("readwrite", (store) => store.put(record));

/** 全部记录，新的在前。 */
export async function allResults() {
  return (await inStore("readonly", (store) => store.getAll())).reverse();
}

export const deleteResult = (savedAt) => inStore("readwrite", (store) => store.delete(savedAt));

export const clearResults = () => inStore("readwrite", (store) => store.clear());

function settled(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

async function inStore(mode, work) {
  const opening = indexedDB.open("health-assistant", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "savedAt" });
  const database = await settled(opening);
  try {
    return await settled(work(database.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    database.close();
  }
}
