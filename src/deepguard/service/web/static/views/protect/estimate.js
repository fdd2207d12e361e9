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
  /** @type {Map<string, number>} */
  const known = new Map();
  let asked = '';
  let timer = 0;
  draft.listen(() => {
    const photos = draft.ready.map((each) => [each.upload?.id, Boolean(each.faces)]);
    const wanted = JSON.stringify([photos, draft.open?.upload?.id, timed(draft, draft.preset)]);
    if (!draft.kind || draft.wrong.size || wanted === asked) return;
    asked = wanted;
    clearTimeout(timer);
    timer = setTimeout(() => background(draft.signal, () => ask(draft, known, () => wanted !== asked)), PAUSE);
  });
  draft.signal.addEventListener('abort', () => clearTimeout(timer));
}

/**
 * @param {Draft} draft
 * @param {Map<string, number>} known seconds by size and options
 * @param {() => boolean} stale whether something else is wanted by now
 */
async function ask(draft, known, stale) {
  let waiting = 0;
  const one = async (/** @type {Photo} */ photo, /** @type {string} */ preset, anew = false) => {
    const options = timed(draft, preset);
    // photos of one size take the same time
    const key = JSON.stringify([photo.upload?.width ?? photo.name, photo.upload?.height, options]);
    if (anew || !known.has(key)) {
      const wish = { kind: 'protect', upload: photo.upload?.id, options };
      const answer = await post('/estimates', wish, { signal: draft.signal });
      known.set(key, answer.seconds);
      waiting = answer.waiting_seconds;
    }
    return known.get(key) ?? 0;
  };
  try {
    const photo = draft.open?.upload ? draft.open : null;
    /** @type {Record<string, number>} */
    const seconds = {};
    for (const { name } of photo ? draft.kind.presets : []) {
      if (photo && !stale()) seconds[name] = await one(photo, name);
    }
    let sum = 0;
    for (const [at, each] of draft.ready.entries()) {
      if (!stale()) sum += await one(each, draft.preset, at === 0);
    }
    if (stale()) return;
    Object.assign(draft, { seconds, total: sum ? { seconds: sum, waiting } : null });
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
