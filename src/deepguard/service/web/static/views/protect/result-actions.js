/** What can be done with a result: save it, share it, open it on another device, delete it. */

import { apiAddress, get, problemOf, resultAddress, sentence } from '../../core/api.js';
import { announce, fill, h, icon } from '../../core/dom.js';
import { known, say, size } from '../../core/words.js';
import { deletion } from '../../parts/deletion.js';
import { doing } from '../../parts/doing.js';

const FILES = ['comparison', 'heatmap', 'log', 'before', 'view'];

/**
 * @typedef {import('../../core/types.js').Job} Job
 * @typedef {import('../../core/types.js').Result} Result
 */

/**
 * Return the one thing that most people came for.
 * @param {Job} job
 * @param {string} share
 */
export function download(job, share) {
  const file = job.results.find((each) => each.name === 'picture');
  if (!file) return null;
  const href = resultAddress(job, file.name, { share });
  const given = { href, download: file.filename };
  return h('a.button.primary.result-download', given, icon('download'), say('result.download'));
}

/** @param {import('./result.js').Given} given */
export function actions({ job, share, signal, go }) {
  const files = FILES.flatMap((name) => job.results.find((each) => each.name === name) ?? []);
  const folded = h('details', null, h('summary', null, say('result.files')), saved(job, files, share));
  return [
    h(
      'div.row',
      null,
      sharing(job, share, signal),
      opening(job, share, signal),
      job.share !== null ? deletion(job, { go }) : null,
    ),
    files.length ? folded : null,
  ];
}

/**
 * @param {Job} job
 * @param {Result[]} files
 * @param {string} share
 */
function saved(job, files, share) {
  const item = (/** @type {Result} */ file) => {
    const href = resultAddress(job, file.name, { share });
    const name = known(`result.${file.name}`) ? say(`result.${file.name}`) : file.name;
    const link = h('a', { href, download: file.filename }, icon('download'), name);
    return h('li', null, link, h('span.quiet.figure', null, size(file.size)));
  };
  return h('ul.job-rows', null, files.map(item));
}

/**
 * Return a button that hands the picture to another program of the device; null where there is no such way.
 * @param {Job} job
 * @param {string} share
 * @param {AbortSignal} signal
 */
function sharing(job, share, signal) {
  const file = job.results.find((each) => each.name === 'picture');
  const empty = file && new File([], file.filename, { type: file.media_type });
  if (!file || !empty || !navigator.canShare?.({ files: [empty] })) return null;
  const text = h('span', null, say('result.share'));
  const button = h('button', { type: 'button' }, icon('share'), text);
  /** @type {File | null} */
  let fetched = null;
  button.addEventListener('click', () =>
    doing(button, async () => {
      fetched ??= await fetchFile(resultAddress(job, file.name, { share }), file, signal);
      try {
        await navigator.share({ files: [fetched] });
      } catch (thrown) {
        if (!(thrown instanceof DOMException)) throw thrown;
        // fetching took longer than browsers remember that a button was pressed
        if (thrown.name === 'NotAllowedError') announce((text.textContent = say('result.share.ready')));
      }
    }),
  );
  return button;
}

/**
 * @param {string} source
 * @param {Result} file
 * @param {AbortSignal} signal
 */
async function fetchFile(source, file, signal) {
  const answer = await fetch(source, { signal });
  if (!answer.ok) throw new TypeError(`the picture did not come: ${answer.status}`);
  return new File([await answer.blob()], file.filename, { type: file.media_type });
}

/**
 * @param {Job} job
 * @param {string} share
 * @param {AbortSignal} signal
 */
function opening(job, share, signal) {
  const path = `/jobs/${job.id}/qr.svg${share ? `?share=${encodeURIComponent(share)}` : ''}`;
  const place = h('div.result-code');
  const close = h('button', { type: 'button' }, say('result.close'));
  const title = h('h2', { id: 'qr-title' }, say('result.qr'));
  const dialog = h('dialog', { 'aria-labelledby': 'qr-title' }, title, place, h('div.row', null, close));
  const button = h('button', { type: 'button' }, icon('code'), say('result.qr.short'));
  const refused = async () => {
    // a picture does not say why it did not come
    try {
      await get(path, { signal });
    } catch (thrown) {
      fill(place, h('p', { role: 'alert' }, sentence(problemOf(thrown))));
    }
  };
  button.addEventListener('click', () => {
    const look = { src: apiAddress(path), alt: say('result.qr'), width: 224, height: 224 };
    const link = h('p');
    const image = h('img', { ...look, onerror: refused, onload: () => spelled(path, link, signal) });
    fill(place, image, h('p', null, say('result.qr.text')), link);
    if (!dialog.isConnected) button.closest('.row')?.after(dialog);
    dialog.showModal();
  });
  close.addEventListener('click', () => dialog.close());
  return button;
}

/**
 * Write out what a code says, for those who cannot point a camera at it.
 * @param {string} path of the code
 * @param {HTMLElement} place
 * @param {AbortSignal} signal
 */
async function spelled(path, place, signal) {
  try {
    const drawing = await (await fetch(apiAddress(path), { signal })).text();
    const href = new DOMParser().parseFromString(drawing, 'image/svg+xml').querySelector('title')?.textContent ?? '';
    fill(place, say('result.qr.link'), h('br'), h('a', { href, target: '_blank', rel: 'noopener' }, href));
  } catch {
    // the code itself is here
  }
}
