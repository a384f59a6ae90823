// Service worker of the page: all files of the site are stored at the first visit, so that it opens without a network.
// `ai-widgets page` writes before this text: const SITE = { version: "…", files: ["index.html", …] };
// Another file gives another version, so another text: the browser then installs the new worker beside the old cache,
// and the old cache is removed when the new worker takes over.
const CACHE = `ai-widgets-page ${self.registration.scope} ${SITE.version}`;
const PREFIX = `ai-widgets-page ${self.registration.scope} `;

self.addEventListener("install", (event) => {
  event.waitUntil(store().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(removeOld().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || !request.url.startsWith(self.registration.scope)) return;
  const name = address.pathname.slice(new URL(self.registration.scope).pathname.length) || "index.html";
  if (SITE.files.includes(name)) event.respondWith(answer(name, request));
});

async function store() {
  const cache = await caches.open(CACHE);
  // The browser's own cache may hold a file of the version before, so that each file is compared with the server's; what
  // is the same is not transferred again.
  await cache.addAll(SITE.files.map((name) => new Request(name, { cache: "no-cache" })));
}

async function removeOld() {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(PREFIX) && name !== CACHE).map((name) => caches.delete(name)),
  );
}

async function answer(name, request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(new URL(name, self.registration.scope))) ?? fetch(request);
}
