/** The service worker: keeps the page's own files, so that it opens without a network. Models are kept by the page's worker. */

declare const self: ServiceWorkerGlobalScope;
/** The files of this build and a hash over them, filled in by the build. */
declare const __FILES__: string[];
declare const __BUILD__: string;

const KEPT = `i3d-page-${__BUILD__}`;

self.addEventListener("install", (event) => {
  const fresh = __FILES__.map((file) => new Request(new URL(file, self.registration.scope), { cache: "reload" }));
  event.waitUntil(
    caches
      .open(KEPT)
      .then((cache) => cache.addAll(fresh))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const old = (name: string) => name.startsWith("i3d-page-") && name !== KEPT;
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || !url.href.startsWith(self.registration.scope)) return;
  const page = request.mode === "navigate" ? new URL("index.html", self.registration.scope).href : request.url;
  event.respondWith(
    caches
      .open(KEPT)
      .then((cache) => cache.match(page, { ignoreSearch: true }))
      .then((kept) => kept ?? fetch(request)),
  );
});

export {};
