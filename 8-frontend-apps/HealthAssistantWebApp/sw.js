// 只缓存网页自己的文件，好让它没有网也打得开；照片、结果、接口的回答一律不经过这里。
const CACHE = "shell-v1";
const SHELL = [
  "./", "manifest.webmanifest", "icons/icon.svg", "icons/icon-192.png", "examples/blood-count.png",
  "css/styles.css", "css/dark.css",
  ...["api", "ask", "backup", "display", "dom", "double_tap", "en", "export", "language", "main",
    "people_view", "photo_view", "pick_language", "report_view", "row_view", "storage",
    "trends", "upload"].map((name) => `js/${name}.js`),
].map((path) => new URL(path, self.registration.scope).href);

self.addEventListener("install", (event) => {
  self.skipWaiting();
  event.waitUntil(Promise.all(SHELL.map((url) => fetchFresh(new Request(url)))));
});

self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

// 有网时总用新的，断网时用存的；被转到登录页的不存
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method !== "GET" || !SHELL.includes(url)) return;
  event.respondWith(fetchFresh(event.request));
});

async function fetchFresh(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok && !response.redirected) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const saved = await cache.match(request);
    if (saved) return saved;
    throw error;
  }
}
