/** The service worker: keeps the page's own files, so that it opens without a network. Models are kept by the page's worker. */

declare const self: ServiceWorkerGlobalScope;
/** The files of this build and a hash over them, filled in by the build. */
declare const __FILES__: string[];
declare const __BUILD__: string;

/** Caches belong to a whole origin, so their names say which page's they are. */
const OURS = `i3d-page-${self.registration.scope}-`;
const KEPT = `${OURS}${__BUILD__}`;

self.addEventListener("install", (event) => {
  const fresh = __FILES__.map((file) => new Request(new URL(file, self.registration.scope), { cache: "reload" }));
  event.waitUntil(
    caches
      .open(KEPT)
      .then((cache) => Promise.all(fresh.map((request) => keep(cache, request))))
      .then(() => self.skipWaiting()),
  );
});

self.addEventListener("activate", (event) => {
  const old = (name: string) => name.startsWith(OURS) && name !== KEPT;
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
  const kept = () => caches.open(KEPT).then((cache) => cache.match(page, { ignoreSearch: true }));
  // The table of models may be edited where it lies; everything else has its content in its name.
  const fresh = url.pathname.endsWith("/models.json");
  event.respondWith(
    fresh
      ? fetch(request).catch(() => kept().then((response) => response ?? Response.error()))
      : kept().then((response) => response ?? fetch(request), () => fetch(request)),
  );
});

/** Keeps a file. Hosts that redirect `index.html` to its folder would leave an answer that no navigation may have. */
async function keep(cache: Cache, request: Request): Promise<void> {
  const response = await fetch(request);
  if (!response.ok) throw new Error(`${request.url}: ${response.status}`);
  const { headers } = response;
  await cache.put(request.url, response.redirected ? new Response(await response.blob(), { headers }) : response);
}

export {};
