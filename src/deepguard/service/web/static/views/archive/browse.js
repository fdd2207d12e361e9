/** All jobs: searched, narrowed, chosen, deleted. */

import { problemOf } from '../../core/api.js';
import { address } from '../../core/boot.js';
import { announce, fill, h, icon } from '../../core/dom.js';
import { fault, keep } from '../../core/route.js';
import { say } from '../../core/words.js';
import { segments } from '../../parts/segments.js';
import { Grid, lost } from './grid.js';
import { FILTERS, KINDS, Pages } from './pages.js';
import { refusals, removed } from './removal.js';

const PAGE = 24;
const TYPING = 250;
const SKELETONS = 8;

export class Browse {
  #visit;
  #wanted;
  #leaving = new AbortController();
  #heading = h('h1', { tabindex: '-1' }, say('tab.archive'));
  #search = h('input', { type: 'search', maxlength: '255', autocomplete: 'off', placeholder: say('archive.search') });
  #notices = h('div');
  #down = h('div', { role: 'status' });
  #count = h('p.quiet');
  #all = h('button.link', { type: 'button' }, say('archive.all'));
  #list = h('div.archive-list');
  #more = h('button', { type: 'button' }, say('archive.more'));
  #end = h('div.archive-end', null, this.#more);
  #bar = h('div.archive-bar', { role: 'region', 'aria-label': say('archive.bar'), hidden: true });
  #sight = new IntersectionObserver((seen) => seen[0].isIntersecting && this.#load(PAGE), { rootMargin: '800px' });
  #loads = false;
  /** Whether the visitor has asked for more, and the focus goes on to what comes. */
  #asked = false;
  /** @type {Grid} */
  #grid;
  /** @type {Pages} */
  #pages;

  /** @param {import('../../core/types.js').Visit} visit */
  constructor(visit) {
    this.#visit = visit;
    const filter = visit.query.get('state') ?? '';
    const kind = visit.query.get('kind') ?? '';
    this.#wanted = {
      search: visit.query.get('search') ?? '',
      filter: filter in FILTERS ? filter : 'all',
      kind: KINDS.includes(kind) ? kind : '',
    };
    visit.signal.addEventListener('abort', () => (this.#leaving.abort(), this.#sight.disconnect()), { once: true });
    [this.#grid, this.#pages] = this.#begin();
  }

  /** Draw, and return once the first page is there: the way back leads to where the visitor was. */
  async show() {
    const { root, title } = this.#visit;
    title(say('tab.archive'));
    this.#search.value = this.#wanted.search;
    let timer = 0;
    this.#search.oninput = () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.#want({ search: this.#search.value.trim() }), TYPING);
    };
    this.#more.onclick = () => this.#load(PAGE, true);
    this.#all.onclick = () => this.#grid.chooseAll(true);
    const head = h('div', null, this.#heading, h('p.quiet', null, say('archive.lead')));
    const count = h('div.spread.archive-count', null, this.#count, this.#all);
    const tools = h('div.archive-tools', { role: 'search' }, this.#field(), this.#kinds(), this.#choice());
    fill(root, head, tools, this.#down, this.#notices, count, this.#list, this.#end, this.#bar);
    this.#changed();
    await this.#load(Math.max(PAGE, history.state?.loaded ?? 0));
  }

  #field() {
    const name = h('span.unseen', null, say('archive.search'));
    return h('label.archive-search', null, name, icon('search'), this.#search);
  }

  #kinds() {
    if (KINDS.length < 2) return null;
    /** @type {Array<[string, string]>} */
    const choices = KINDS.map((each) => [each, say(`tab.${each}`)]);
    choices.unshift(['', say('archive.kind.all')]);
    return segments(say('archive.kind'), choices, this.#wanted.kind, (kind) => this.#want({ kind }));
  }

  #choice() {
    /** @type {Array<[string, string]>} */
    const choices = Object.keys(FILTERS).map((each) => [each, say(`archive.is.${each}`)]);
    return segments(say('archive.filter'), choices, this.#wanted.filter, (filter) => this.#want({ filter }));
  }

  /** @returns {[Grid, Pages]} */
  #begin() {
    this.#leaving.abort();
    this.#leaving = new AbortController();
    const { signal } = this.#leaving;
    const skeletons = Array.from({ length: SKELETONS }, () => h('li.archive-skeleton'));
    fill(this.#list, h('ul.archive-grid', { 'aria-hidden': 'true' }, skeletons));
    this.#list.setAttribute('aria-busy', 'true');
    this.#end.hidden = true;
    fill(this.#down);
    const down = (/** @type {boolean} */ is) => lost(this.#down, is);
    const grid = new Grid({ signal, selectable: true, changed: () => this.#changed(), down });
    return [grid, new Pages(this.#wanted, signal)];
  }

  /** @param {{search?: string, filter?: string, kind?: string}} change */
  async #want(change) {
    this.#wanted = { ...this.#wanted, ...change };
    const { search, filter, kind } = this.#wanted;
    history.replaceState({ ...history.state, loaded: 0 }, '');
    keep(new URLSearchParams({ ...(search && { search }), ...(filter !== 'all' && { state: filter }), ...(kind && { kind }) }));
    fill(this.#notices);
    this.#loads = false;
    [this.#grid, this.#pages] = this.#begin();
    this.#changed();
    await this.#load(PAGE);
    if (!this.#list.hasAttribute('aria-busy')) announce(this.#counted());
  }

  /**
   * @param {number} count
   * @param {boolean} [pressed] by the visitor, perhaps while more are on their way already
   */
  async #load(count, pressed = false) {
    this.#asked ||= pressed;
    if (this.#loads || !this.#pages.more) return;
    const { signal } = this.#leaving;
    const grid = this.#grid;
    const before = grid.jobs.length;
    this.#loads = true;
    this.#sight.unobserve(this.#end);
    try {
      const jobs = await this.#pages.next(count);
      grid.add(jobs);
      this.#loads = false;
      this.#settle();
      if (this.#asked) grid.element.querySelectorAll('a')[before]?.focus();
      this.#asked = false;
    } catch (thrown) {
      if (signal.aborted) return;
      this.#loads = false;
      this.#failed(problemOf(thrown));
    }
  }

  #settle() {
    this.#list.removeAttribute('aria-busy');
    const nothing = !this.#grid.jobs.length && !this.#pages.more;
    fill(this.#list, nothing ? this.#empty() : this.#grid.element);
    this.#end.hidden = !this.#pages.more;
    history.replaceState({ ...history.state, loaded: this.#grid.jobs.length }, '');
    // a page that does not fill the window is followed by the next one
    if (this.#pages.more) this.#sight.observe(this.#end);
    this.#changed();
  }

  /** @param {import('../../core/api.js').Problem} problem */
  #failed(problem) {
    this.#list.removeAttribute('aria-busy');
    this.#changed();
    const again = () => {
      fill(this.#notices);
      this.#load(PAGE);
    };
    const wrong = fault(problem, again);
    wrong.querySelector('h1')?.replaceWith(h('h2', null, say('fault.title')));
    if (this.#grid.jobs.length) fill(this.#notices, wrong);
    else fill(this.#list, wrong);
  }

  #empty() {
    const { search, filter, kind } = this.#wanted;
    const all = !search && filter === 'all' && !kind;
    const clear = () => this.#visit.go('/archive', { replace: true });
    const act = all
      ? h('a.button.primary', { href: address('/') }, say('archive.start'))
      : h('button', { type: 'button', onclick: clear }, say('archive.clear'));
    const text = say(all ? 'archive.empty' : 'archive.nothing');
    return h('div.empty.archive-empty', null, icon(all ? 'photo' : 'search'), h('p', null, text), act);
  }

  #counted() {
    const count = this.#grid.jobs.length;
    return say(this.#pages.more ? 'archive.count.more' : 'archive.count', { count });
  }

  #changed() {
    const { size } = this.#grid.chosen;
    const { length } = this.#grid.jobs;
    const busy = this.#list.hasAttribute('aria-busy');
    fill(this.#count, busy || !length ? '' : this.#counted());
    this.#all.hidden = !length || size === length;
    if (size && size !== Number(this.#bar.dataset.size)) announce(say('archive.chosen', { count: size }));
    if (size !== Number(this.#bar.dataset.size ?? 0)) this.#draw(size);
  }

  /** @param {number} size how many are chosen */
  #draw(size) {
    this.#bar.dataset.size = String(size);
    this.#bar.hidden = !size;
    const none = () => {
      this.#grid.chooseAll(false);
      this.#all.focus();
    };
    const clear = h('button.ghost', { type: 'button', onclick: none }, say('archive.none'));
    const press = () => this.#remove();
    const act = h('button.danger', { type: 'button', onclick: press }, icon('delete'), say('archive.delete'));
    fill(this.#bar, h('p', null, say('archive.chosen', { count: size })), clear, act);
  }

  async #remove() {
    const jobs = this.#grid.jobs;
    const removal = await removed([...this.#grid.chosen], this.#visit.root, this.#leaving.signal);
    if (!removal) return;
    const next = this.#grid.take(removal.gone);
    const refused = removal.refused.length ? refusals(removal, jobs) : null;
    fill(this.#notices, refused);
    this.#settle();
    (refused ?? next ?? this.#heading).focus();
    announce(say('archive.deleted', { count: removal.gone.length }));
  }
}
