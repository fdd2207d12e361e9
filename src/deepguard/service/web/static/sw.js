/**
 * The service worker: keeps the page's own files in the browser, and what is shown where the service cannot be reached.
 * The server puts `self.shell = ...` before it. Pages come from the network first, so that none is ever an old one;
 * answers of the API, pictures and uploads are no affair of this worker.
 */

/**
 * @typedef {object} Shell
 * @property {string} version changes with any of what is kept
 * @property {string} root prefix of every address; "" where there is none
 * @property {string[]} files addresses of what any page needs
 * @property {Record<string, string>} offline language -> address of the page for where there is no network
 */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const { version, root, files, offline } = /** @type {Shell} */ (/** @type {any} */ (self).shell);
// an origin's caches are shared by all that lies below it, perhaps under other prefixes
const OURS = `deepguard${root}/ `;
const FILES = OURS + version;
const LANGUAGE = `${OURS}language`;
const STATIC = `${root}/static/`;
const API = `${root}/api/`;

worker.addEventListener('install', (event) => event.waitUntil(keep()));
worker.addEventListener('activate', (event) => event.waitUntil(begin()));
worker.addEventListener('message', (event) => event.waitUntil(remember(String(event.data))));
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== worker.location.origin) return;
  if (url.pathname.startsWith(STATIC)) event.respondWith(file(request));
  else if (request.mode === 'navigate' && !url.pathname.startsWith(API)) event.respondWith(page(event));
});

async function keep() {
  const cache = await caches.open(FILES);
  // without the visitor's cookies: what is kept is nobody's own page
  const pages = Object.values(offline).map((each) => new Request(each, { credentials: 'omit', cache: 'no-store' }));
  await cache.addAll([...files, ...pages]);
  await worker.skipWaiting();
}

async function begin() {
  for (const name of await caches.keys()) {
    if (name.startsWith(OURS) && name !== FILES && name !== LANGUAGE) await caches.delete(name);
  }
  await worker.registration.navigationPreload?.enable();
  await worker.clients.claim();
}

/**
 * Return one of the page's own files; those of a newer page than this worker come from the network.
 * @param {Request} request
 */
async function file(request) {
  return (await caches.match(request, { ignoreVary: true })) ?? fetch(request);
}

/**
 * Return what a visitor goes to; what says why not, where the service cannot be reached.
 * @param {FetchEvent} event
 * @returns {Promise<Response>}
 */
async function page(event) {
  try {
    return (await event.preloadResponse) ?? (await fetch(event.request));
  } catch {
    const said = await (await caches.open(LANGUAGE)).match(STATIC);
    const language = said ? await said.text() : worker.navigator.language.slice(0, 2);
    return (await caches.match(offline[language] ?? offline.en, { ignoreVary: true })) ?? Response.error();
  }
}

/**
 * Keep in mind which language the visitor reads.
 * @param {string} language
 */
async function remember(language) {
  await (await caches.open(LANGUAGE)).put(STATIC, new Response(language));
}
