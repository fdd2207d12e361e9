/** What is kept of a draft, so that a reload or coming back finds it again; for this window only. */

import { get, problemOf } from '../../core/api.js';
import { boot } from '../../core/boot.js';
import { background } from './draft.js';
import { Photo } from './photo.js';

/** @typedef {import('./draft.js').Draft} Draft */

const PLACE = `deepguard.draft${boot.root}`;

/**
 * Keep a draft from now on.
 * @param {Draft} draft
 */
export function keep(draft) {
  let before = '';
  draft.listen(() => {
    const text = JSON.stringify({
      photos: draft.photos.filter((each) => each.state !== 'refused').map(plain),
      preset: draft.preset,
      filters: draft.filters,
      expert: draft.expert,
    });
    if (text === before) return;
    before = text;
    try {
      sessionStorage.setItem(PLACE, text);
    } catch {
      // a browser that keeps nothing
    }
  });
}

/** Leave the draft with this place in the browser's history: going back to it finds what was started from it. */
export function remember() {
  history.replaceState({ ...history.state, started: true, draft: stored() }, '');
}

/**
 * Bring back what was kept.
 * @param {Draft} draft
 * @param {(names: string[]) => void} lost hears the names of photos that are no more
 */
export function recall(draft, lost) {
  const { started: back = false, draft: left, ...state } = history.state ?? {};
  const { photos = [], ...rest } = left ?? stored() ?? {};
  // from now on this visit's own changes count
  if (left) history.replaceState({ ...state, started: true }, '');
  const wanted = photos.filter((/** @type {any} */ each) => back || !each.begun);
  if (!wanted.length) return;
  Object.assign(draft, rest);
  /** @type {string[]} */
  const gone = [];
  const lose = (/** @type {string} */ name) => (gone.push(name), lost(gone));
  for (const each of wanted) {
    if (each.upload) bring(draft, each, () => lose(each.name));
    // leaving the page ended its sending
    else lose(each.name);
  }
  draft.show(draft.photos[0] ?? null);
}

/**
 * Fill the form with a job's photo and options, for another try.
 * @param {Draft} draft
 * @param {string} id
 * @param {boolean} draw whether a face is to be drawn
 */
export async function repeat(draft, id, draw) {
  const job = await get(`/jobs/${id}`, { signal: draft.signal });
  const upload = await get(`/uploads/${job.upload}`, { signal: draft.signal });
  // faces were looked for when it was first chosen; a search of long ago is begun anew
  const { jobs } = await get('/jobs?kind=find&state=done&limit=100', { signal: draft.signal });
  const search = jobs.find((/** @type {any} */ each) => each.upload === job.upload)?.id ?? '';
  const { preset = draft.preset, filters = {}, faces = [], box = null, ...expert } = job.options;
  Object.assign(draft, { preset, filters, expert });
  const { width, height } = upload;
  const before = { width, height, search, wanted: faces, box, left: [], own: false };
  const photo = bring(draft, { name: job.name, upload, ...before });
  draft.show(photo);
  draft.drawing = draw;
}

/** @returns {any} */
function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(PLACE) ?? 'null');
  } catch {
    return null;
  }
}

/** @param {Photo} photo */
function plain(photo) {
  const { name, upload, width, height, search, wanted, box, wish, own } = photo;
  const begun = photo.begun || photo.state === 'started';
  return { name, upload, width, height, search, wanted, box, wish, own, begun, left: [...photo.left] };
}

/**
 * @param {Draft} draft
 * @param {any} kept
 * @param {() => void} [lost] called where the service has it no more
 */
function bring(draft, { left, ...kept }, lost) {
  const photo = new Photo(draft, kept.name);
  Object.assign(photo, kept, { left: new Set(left), state: 'sent' });
  draft.photos.push(photo);
  background(photo.leaving.signal, async () => {
    if (lost && !(await exists(photo))) {
      draft.photos = draft.photos.filter((each) => each !== photo);
      if (draft.open === photo) draft.show(draft.photos[0] ?? null);
      draft.changed();
      return lost();
    }
    photo.look();
  });
  return photo;
}

/** @param {Photo} photo */
async function exists(photo) {
  try {
    await get(`/uploads/${photo.upload?.id}`, { signal: photo.leaving.signal });
    return true;
  } catch (thrown) {
    // where the service does not answer, what comes next says so
    return problemOf(thrown).status !== 404 && problemOf(thrown).status !== 410;
  }
}
