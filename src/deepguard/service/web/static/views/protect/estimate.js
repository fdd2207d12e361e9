/** How long it will take, known before it starts. */

import { post, problemOf } from '../../core/api.js';
import { background } from './draft.js';

/**
 * @typedef {import('./photo.js').Photo} Photo
 * @typedef {import('./draft.js').Draft} Draft
 */

const PAUSE = 400;

/**
 * Keep the draft's estimates up to date.
 * @param {Draft} draft
 */
export function estimating(draft) {
  /** @type {Map<string, {seconds: number, waiting_seconds: number}>} */
  const known = new Map();
  let asked = '';
  let timer = 0;
  draft.listen(() => {
    const wanted = JSON.stringify([draft.ready.map((each) => each.upload?.id), draft.open?.upload?.id, timed(draft, draft.preset)]);
    if (!draft.kind || draft.wrong.size || wanted === asked) return;
    asked = wanted;
    clearTimeout(timer);
    timer = setTimeout(() => background(draft.signal, () => ask(draft, known, () => wanted !== asked)), PAUSE);
  });
  draft.signal.addEventListener('abort', () => clearTimeout(timer));
}

/**
 * @param {Draft} draft
 * @param {Map<string, {seconds: number, waiting_seconds: number}>} known
 * @param {() => boolean} stale whether something else is wanted by now
 */
async function ask(draft, known, stale) {
  const one = async (/** @type {Photo} */ photo, /** @type {string} */ preset) => {
    const options = timed(draft, preset);
    // photos of one size take the same time
    const key = JSON.stringify([photo.upload?.width ?? photo.name, photo.upload?.height, options]);
    const answer =
      known.get(key) ?? (await post('/estimates', { kind: 'protect', upload: photo.upload?.id, options }, { signal: draft.signal }));
    known.set(key, answer);
    return answer;
  };
  try {
    const photo = draft.open?.upload ? draft.open : null;
    /** @type {Record<string, number>} */
    const seconds = {};
    for (const { name } of photo ? draft.kind.presets : []) {
      if (photo && !stale()) seconds[name] = (await one(photo, name)).seconds;
    }
    const total = { seconds: 0, waiting: 0 };
    for (const each of stale() ? [] : draft.ready) {
      const answer = await one(each, draft.preset);
      total.seconds += answer.seconds;
      total.waiting = answer.waiting_seconds;
    }
    if (stale()) return;
    Object.assign(draft, { seconds, total: total.seconds ? total : null });
  } catch (thrown) {
    // no estimate is no reason to stop anybody; what is wrong is said at the start
    problemOf(thrown);
    Object.assign(draft, { seconds: {}, total: null });
  }
  draft.changed();
}

/**
 * Return the options that time depends on.
 * @param {Draft} draft
 * @param {string} preset
 */
function timed(draft, preset) {
  const { seed: _, filters: __, ...options } = draft.common();
  return { ...options, preset };
}
