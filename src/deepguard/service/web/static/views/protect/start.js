/** The one button that starts it, and what it will take. */

import { post, problemOf, sentence } from '../../core/api.js';
import { address } from '../../core/boot.js';
import { fill, h, icon } from '../../core/dom.js';
import { duration, say } from '../../core/words.js';
import { background } from './draft.js';

/**
 * @typedef {import('./photo.js').Photo} Photo
 * @typedef {import('./draft.js').Draft} Draft
 */

/** What is about one photo; the others can be started all the same. */
const OF_ONE = new Set(['expired', 'not_found', 'input', 'no_face', 'option']);

/**
 * Return the bar with the button.
 * @param {Draft} draft
 * @param {(path: string) => void} leave leads to what was started
 */
export function starter(draft, leave) {
  const button = h('button.primary.wide', { type: 'button' });
  const line = h('p.quiet.figure');
  const fault = h('p.notice.bad', { role: 'alert', hidden: true });
  button.setAttribute('aria-describedby', 'protect-reason');
  line.id = 'protect-reason';
  button.addEventListener('click', () => {
    if (reason(draft)) return;
    background(draft.signal, async () => {
      const problem = await start(draft);
      tell(draft, fault, problem);
      if (draft.photos.some((each) => each.job) && settled(draft)) leave(addressOf(draft));
    });
  });
  draft.listen(() => {
    const why = reason(draft);
    const count = draft.ready.length;
    // not `disabled`: then the reason would not be heard
    button.setAttribute('aria-disabled', String(Boolean(why)));
    fill(button, icon('shield'), count > 1 ? say('protect.start', { count }) : say('start.send'));
    line.textContent = why || [omitted(draft), costs(draft)].filter(Boolean).join(' ');
  });
  return h('div.protect-start', null, fault, button, line);
}

/**
 * Ask for a job for every photo that is ready; what does not start stays as it is.
 * @param {Draft} draft
 * @returns {Promise<import('../../core/api.js').Problem | null>} what stopped it
 */
async function start(draft) {
  draft.starting = true;
  draft.changed();
  try {
    for (const photo of draft.ready) {
      const problem = await startOne(draft, photo);
      if (!problem) continue;
      if (!OF_ONE.has(problem.code)) return problem;
      photo.fail(problem.code === 'not_found' ? 'expired' : problem.code, true);
    }
    return null;
  } finally {
    draft.starting = false;
    draft.changed();
  }
}

/**
 * @param {Draft} draft
 * @param {Photo} photo
 */
async function startOne(draft, photo) {
  const wish = { kind: 'protect', upload: photo.upload?.id, options: draft.optionsOf(photo) };
  const text = JSON.stringify(wish);
  // the same wish twice is one job, whatever happened to the first answer
  if (photo.wish.text !== text) photo.wish = { text, key: `${Date.now()}-${Math.random()}` };
  draft.changed();
  try {
    photo.job = (await post('/jobs', wish, { signal: draft.signal, key: photo.wish.key })).id;
    photo.state = 'started';
    draft.changed();
    return null;
  } catch (thrown) {
    return problemOf(thrown);
  }
}

/** @param {Draft} draft */
function settled(draft) {
  return draft.photos.every((each) => each.state !== 'broken' && !each.ready);
}

/** @param {Draft} draft */
function addressOf(draft) {
  const ids = draft.photos.map((each) => each.job).filter(Boolean);
  return ids.length === 1 ? `/jobs/${ids[0]}` : `/archive?jobs=${ids.join(',')}`;
}

/**
 * @param {Draft} draft
 * @param {HTMLElement} place
 * @param {import('../../core/api.js').Problem | null} problem
 */
function tell(draft, place, problem) {
  const count = draft.photos.filter((each) => each.job).length;
  place.hidden = !problem;
  if (!problem) return;
  const started = count ? h('a', { href: address(addressOf(draft)) }, say('protect.partly', { count })) : null;
  fill(place, icon('warning'), h('span', null, sentence(problem), ' ', started));
}

/**
 * Return why nothing can start now; "" where it can.
 * @param {Draft} draft
 */
function reason(draft) {
  if (draft.starting) return say('protect.starting');
  if (!draft.kind) return say('starting.title');
  if (draft.drawing) return say('protect.undrawn');
  if (draft.wrong.size) return say('protect.mend');
  if (draft.photos.some((each) => each.state === 'waiting' || each.state === 'sending')) return say('protect.unsent');
  if (draft.ready.length) return '';
  if (draft.photos.some((each) => each.state === 'broken')) return say('protect.unsent');
  return say(draft.photos.some((each) => each.faceless) ? 'protect.faceless' : 'protect.unready');
}

/**
 * Return how many photos stay behind.
 * @param {Draft} draft
 */
function omitted(draft) {
  const count = draft.photos.filter((each) => !each.ready && !each.job).length;
  return count ? say('protect.omitted', { count }) : '';
}

/** @param {Draft} draft */
function costs(draft) {
  if (!draft.total) return ' ';
  const { seconds, waiting } = draft.total;
  const time = duration(seconds + waiting);
  // one's own searches for faces wait there too, and are soon over
  return waiting > seconds / 2 ? say('protect.behind', { time }) : say('protect.time', { time });
}
