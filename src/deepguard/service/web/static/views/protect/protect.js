/** Choosing photos and starting their protection: the first screen. */

import { get, problemOf, sentence } from '../../core/api.js';
import { address } from '../../core/boot.js';
import { fill, h, icon } from '../../core/dom.js';
import { list, say } from '../../core/words.js';
import { chooser } from './choose.js';
import { Draft, background } from './draft.js';
import { keep, recall, remember, repeat } from './kept.js';
import { presets } from './presets.js';

const PAUSE = 5;

/** @type {import('../../core/types.js').View} */
export default {
  show({ root, query, signal, title, go }) {
    title(say('start.title'));
    const draft = new Draft(signal);
    const choose = chooser(draft);
    const leave = (/** @type {string} */ path) => (remember(), go(path));
    const running = h('p.protect-running', { hidden: true });
    const head = h('header', null, h('h1', null, say('start.title')), h('p.protect-lead', null, say('start.lead')));
    const left = h('div.protect-left', null, choose);
    const right = h('div.protect-right', null, presets(draft));
    const body = h('div.protect-work', null, left, right);
    fill(root, head, query.has('removed') ? removed() : null, body, running);
    let tries = 0;
    const grow = once(async () => {
      tries += 1;
      // a module that could not be fetched is never asked for again under the same name
      const fetched = tries === 1 ? import('./work.js') : import(`./work.js?try=${tries}`);
      const [{ work }] = await Promise.all([fetched, draft.open?.seen]);
      if (signal.aborted) return;
      const { before, after, bar } = work(draft, choose.focus, leave);
      const held = document.activeElement;
      // taken out and put back, so that nothing is seen to jump
      body.remove();
      left.prepend(...before);
      right.append(...after);
      body.append(bar);
      draft.grown = true;
      draft.tell();
      root.insertBefore(body, running);
      if (held instanceof HTMLElement && body.contains(held)) held.focus({ preventScroll: true });
    }, (problem) => choose.tell(sentence(problem)));
    draft.listen(() => {
      root.classList.toggle('some', draft.some);
      if (draft.photos.length) background(signal, grow);
    });
    addEventListener('online', () => {
      for (const each of draft.photos) if (each.state === 'broken') each.send();
      draft.changed();
    }, { signal });
    background(signal, () => described(draft));
    background(signal, () => limited(draft));
    background(signal, () => going(draft, running));
    background(signal, () => begin(draft, query, choose.tell));
  },
};

/**
 * Return a way to do something once; where it did not work, the next call tries again.
 * @param {() => Promise<void>} work
 * @param {(problem: import('../../core/api.js').Problem) => void} failed
 */
function once(work, failed) {
  let begun = false;
  return async () => {
    if (begun) return;
    begun = true;
    try {
      await work();
    } catch (thrown) {
      begun = false;
      failed(problemOf(thrown));
    }
  };
}

/**
 * Bring back what was begun: an earlier job's wish, or what this window has kept.
 * @param {Draft} draft
 * @param {URLSearchParams} query
 * @param {(text: string) => void} tell
 */
async function begin(draft, query, tell) {
  const again = query.get('again');
  if (!again) recall(draft, (names) => tell(say('protect.lost', { names: list(names) })));
  else {
    try {
      await repeat(draft, again, query.has('draw'));
    } catch (thrown) {
      const problem = problemOf(thrown);
      tell(problem.code === 'not_found' ? sentence({ code: 'expired' }) : sentence(problem));
    }
    // a reload is to find what was changed since
    history.replaceState(history.state, '', address('/'));
  }
  keep(draft);
  draft.changed();
}

/**
 * Ask what can be done until a worker has said so.
 * @param {Draft} draft
 */
async function described(draft) {
  while (!draft.signal.aborted) {
    try {
      draft.kind = await get('/kinds/protect', { signal: draft.signal });
      const names = draft.kind.presets.map((/** @type {any} */ each) => each.name);
      if (!names.includes(draft.preset)) draft.preset = names[0];
      return draft.changed();
    } catch (thrown) {
      const problem = problemOf(thrown);
      draft.late = true;
      draft.changed();
      await new Promise((resolve) => setTimeout(resolve, 1000 * (problem.after || PAUSE)));
    }
  }
}

/** @param {Draft} draft */
async function limited(draft) {
  try {
    draft.limits = await get('/limits', { signal: draft.signal });
    draft.changed();
  } catch (thrown) {
    // the service says what is too much when it is sent
    problemOf(thrown);
  }
}

/**
 * Lead to the visitor's jobs that are not over.
 * @param {Draft} draft
 * @param {HTMLElement} line
 */
async function going(draft, line) {
  try {
    const asked = ['running', 'queued'].map((state) =>
      get(`/jobs?kind=protect&state=${state}&limit=100`, { signal: draft.signal }),
    );
    const jobs = (await Promise.all(asked)).flatMap((each) => each.jobs);
    if (!jobs.length) return;
    line.hidden = false;
    const path = jobs.length === 1 ? `/jobs/${jobs[0].id}` : '/archive';
    fill(line, icon('wait'), h('a', { href: address(path) }, say('protect.running', { count: jobs.length })));
  } catch (thrown) {
    // it is only a reminder
    problemOf(thrown);
  }
}

function removed() {
  return h('p.notice.good', { role: 'status' }, icon('hidden'), h('span', null, say('start.removed')));
}
