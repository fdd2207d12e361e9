/** What may be seen of a face swap: behind a statement of whose face it is, and for one hour. */

import { post, resultAddress } from '../../core/api.js';
import { fill, h, icon } from '../../core/dom.js';
import { duration, language, moment, say } from '../../core/words.js';
import { doing } from '../../parts/doing.js';

/** Where it is on the page. */
export const SHEET = 'prove-sheet';
const CLIP = 'clip';
/** Milliseconds between two looks at the clock. */
const TICK = 1000;

/**
 * @typedef {import('../../core/types.js').Job} Job
 * @typedef {import('./result.js').Shown} Shown
 */

/**
 * Return the sheet where there is one, else the way to it.
 * @param {Shown} shown
 */
export function sheet(shown) {
  return h(
    'section.panel.prove-sheet',
    { 'aria-labelledby': SHEET },
    h('h2', { id: SHEET, tabindex: '-1' }, say('prove.sheet')),
    there(shown.job) ? seen(shown) : asking(shown),
  );
}

/**
 * Return whether a job has made a sheet.
 * @param {Job} job
 */
export function there(job) {
  return job.results.some((each) => each.name === `sheet-${language}`);
}

/**
 * Return a line that says how long something is still there, second by second at the end.
 * @param {Job} job
 * @param {AbortSignal} signal
 * @param {() => void} [over] is called once it is not
 */
export function countdown(job, signal, over) {
  const text = h('span', { role: 'timer' });
  const show = () => {
    const left = (Date.parse(job.expires) - Date.now()) / 1000;
    const said = left > 0 ? say('prove.left', { time: duration(left) }) : say('prove.over');
    if (text.textContent !== said) text.textContent = said;
    if (left > 0) return;
    clearInterval(timer);
    over?.();
  };
  const timer = setInterval(show, TICK);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  show();
  return h('p.quiet.figure.prove-left', null, icon('wait'), text);
}

/** @param {Shown} shown */
function seen({ job, report, signal }) {
  const place = h('div');
  const gone = () => fill(place, h('p', null, say('prove.sheet.gone')));
  const said = report.statement;
  const stated = said && say(said.by === 'self' ? 'prove.stated.self' : 'prove.stated.agreed', { when: moment(said.at) });
  const image = h('img', { src: resultAddress(job, `sheet-${language}`, { inline: true }), alt: say('prove.sheet.alt'), decoding: 'async', onerror: gone });
  fill(place, h('figure', null, image, h('figcaption', null, say('prove.sheet.caption'))), moving(job));
  return [place, countdown(job, signal, gone), stated ? h('p.quiet', null, stated) : null];
}

/**
 * Return the same in motion, where it was asked for; without a way to save it.
 * @param {Job} job
 */
function moving(job) {
  if (!job.results.some((each) => each.name === CLIP)) return null;
  const source = resultAddress(job, CLIP, { inline: true });
  const still = { controls: true, loop: true, muted: true, playsInline: true, disablePictureInPicture: true };
  return h('video', { src: source, preload: 'metadata', controlslist: 'nodownload', 'aria-label': say('prove.clip.alt'), ...still });
}

/** @param {Shown} shown */
function asking(shown) {
  const form = stating(shown);
  form.hidden = true;
  const open = h('button', { type: 'button', 'aria-expanded': 'false', 'aria-controls': form.id }, icon('photo'), say('prove.sheet.open'));
  open.addEventListener('click', () => {
    form.hidden = !form.hidden;
    open.setAttribute('aria-expanded', String(!form.hidden));
    if (!form.hidden) form.querySelector('input')?.focus();
  });
  return [h('p', null, say('prove.sheet.text')), h('div.row', null, open), form];
}

/**
 * Return the form that asks whose face it is; nothing is chosen beforehand.
 * @param {Shown} shown
 */
function stating({ job, go }) {
  const send = h('button.primary', { type: 'submit', disabled: true }, say('prove.sheet.make'));
  const form = h('form.prove-statement', { id: 'prove-statement' });
  const radio = (/** @type {string} */ value, /** @type {string} */ text) =>
    h('label.card', null, h('input', { type: 'radio', name: 'statement', value, required: true }), h('span.card-name', null, text));
  const choices = [radio('self', say('prove.state.self')), radio('agreed', say('prove.state.agreed'))];
  form.append(
    h('fieldset', null, h('legend', null, say('prove.state')), h('div.cards', null, choices)),
    h('label.check', null, h('input', { type: 'checkbox', name: CLIP }), h('span', null, say('prove.clip'))),
    h('p.quiet', null, say('prove.state.text')),
    h('div.row', null, send),
  );
  form.addEventListener('change', () => (send.disabled = !new FormData(form).get('statement')));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const statement = String(new FormData(form).get('statement'));
    const clip = new FormData(form).has(CLIP);
    const options = { ...job.options, sheet: true, ...(clip && { clip }), statement };
    doing(send, async () => {
      const wish = { kind: job.kind, upload: job.upload, options };
      const made = await post('/jobs', wish, { key: `sheet-${job.id}-${statement}-${clip}` });
      go(`/jobs/${made.id}`);
    });
  });
  return form;
}
