/** Which view is shown for an address, and how one leads to the next without loading the page anew. */

import { sentence, problemOf } from './api.js';
import { address, boot } from './boot.js';
import { fill, h } from './dom.js';
import { loadWords, say } from './words.js';

const main = /** @type {HTMLElement} */ (document.getElementById('content'));
/** Aborted when the view that is shown is left. */
let leaving = new AbortController();
/** @type {Map<string, number>} Where a visit was scrolled to when it was left. */
const scrolled = new Map();
let current = '';
/** What of the address decides what is shown: without the part that only leads to a place on the page. */
let shown = '';

/** Follow links and the browser's buttons from now on, and show the view of this address. */
export async function follow() {
  history.scrollRestoration = 'manual';
  forget('lang');
  document.addEventListener('click', onClick);
  addEventListener('popstate', () => place() !== shown && show(false));
  await show(true);
}

/**
 * Lead to another view.
 * @param {string} path without the prefix, perhaps with a query
 * @param {{replace?: boolean}} [options] `replace`: the browser's back button does not lead here again
 */
export function go(path, options = {}) {
  scrolled.set(current, scrollY);
  const key = String(performance.now());
  if (options.replace) history.replaceState({ key }, '', address(path));
  else history.pushState({ key }, '', address(path));
  return show(false);
}

/**
 * Keep in the address what is shown now, so that a reload and the browser's buttons find it again.
 * @param {URLSearchParams} query
 */
export function keep(query) {
  const asked = String(query);
  history.replaceState(history.state, '', location.pathname + (asked && `?${asked}`));
  shown = place();
  translate();
}

/**
 * Return the view for a path and what the gaps in the view's own path hold.
 * @param {string} path without the prefix
 */
export function matched(path) {
  for (const view of boot.views) {
    const names = [...view.path.matchAll(/\{(\w+)\}/g)].map((each) => each[1]);
    const found = new RegExp(`^${view.path.replace(/\{\w+\}/g, '([^/]+)')}$`).exec(path);
    if (found) return { view, params: Object.fromEntries(names.map((each, at) => [each, found[at + 1]])) };
  }
  return null;
}

/** @param {boolean} first whether the server has just drawn this page, and nothing was left for it */
async function show(first) {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  current = history.state?.key ?? 'first';
  shown = place();
  const found = matched(location.pathname.slice(boot.root.length) || '/');
  if (!found) return location.reload();
  const root = h('div', { class: `view ${found.view.name}` });
  mark(found.view.path);
  fill(main, root);
  scrollTo(0, first ? scrollY : (scrolled.get(current) ?? 0));
  const title = (/** @type {string} */ text) => (document.title = `${text} · ${say('name')}`);
  try {
    const [module] = await Promise.all([import(`${boot.assets}/${found.view.script}`), loadWords(found.view.name)]);
    if (signal.aborted) return;
    const query = new URLSearchParams(location.search);
    await module.default.show({ root, params: found.params, query, signal, title, go });
    if (!signal.aborted && !first) settle(root);
  } catch (thrown) {
    if (signal.aborted) return;
    fill(root, fault(problemOf(thrown)));
  }
}

function place() {
  return location.pathname + location.search;
}

/**
 * Return what is shown where a view cannot be.
 * @param {import('./api.js').Problem} problem
 * @param {() => void} [again]
 */
export function fault(problem, again = () => location.reload()) {
  const retry = h('button.primary', { type: 'button', onclick: again }, say('fault.reload'));
  return h(
    'section.fault',
    { role: 'alert' },
    h('h1', null, say('fault.title')),
    h('div.panel', null, h('p', null, sentence(problem))),
    h('div.row', null, problem.passing || !problem.status ? retry : null, home(!problem.passing)),
    problem.requestId ? h('p.quiet', null, say('fault.id', { id: problem.requestId })) : null,
  );
}

/** @param {boolean} primary */
function home(primary) {
  return h('a.button', { href: address('/'), class: primary ? 'primary' : '' }, say('fault.back'));
}

/**
 * Tell screen readers and the keyboard that there is something new to read.
 * @param {HTMLElement} root
 */
function settle(root) {
  const heading = root.querySelector('h1');
  heading?.setAttribute('tabindex', '-1');
  heading?.focus({ preventScroll: true });
  scrollTo(0, scrolled.get(current) ?? 0);
}

/**
 * Take out of the address what the server has already heeded.
 * @param {string} name
 */
function forget(name) {
  const url = new URL(location.href);
  if (!url.searchParams.has(name)) return;
  url.searchParams.delete(name);
  history.replaceState(history.state, '', url);
}

/** @param {string} path */
function mark(path) {
  for (const link of document.querySelectorAll('.tabs a')) {
    if (link.getAttribute('data-path') === path) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  translate();
}

/** Let the link to the other language lead to what is shown now. */
function translate() {
  const other = document.querySelector('.bar .language');
  const query = new URLSearchParams(location.search);
  query.set('lang', other?.getAttribute('hreflang') ?? '');
  other?.setAttribute('href', `?${query}`);
}

/** @param {MouseEvent} event */
function onClick(event) {
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  if (link.hasAttribute('download') || link.target || link.origin !== location.origin) return;
  if (link.hash && link.pathname === location.pathname) return;
  const path = link.pathname.slice(boot.root.length) || '/';
  if (!link.pathname.startsWith(boot.root) || !matched(path) || link.hreflang) return;
  event.preventDefault();
  go(path + link.search);
}
