/** Choosing a photo or clip and having it checked: one file at a time, begun as soon as it is chosen. */

import { Problem, get, post, problemOf, remove, sentence, upload } from '../../core/api.js';
import { address } from '../../core/boot.js';
import { announce, fill, h, icon } from '../../core/dom.js';
import { duration, language, list, number, percent, say, size } from '../../core/words.js';
import { catchAll } from '../../parts/drop.js';
import { settings } from './settings.js';

/** @type {Record<string, string>} */
const NAMES = { WEBP: 'WebP', HEIF: 'HEIC', MP4: 'MP4·MOV', MKV: 'MKV·WebM', ASF: 'WMV', TS: 'MPEG' };
/** Containers of clips that are worth a word, the most usual first. */
const CLIPS = ['MP4', 'MKV', 'AVI', 'GIF', 'TS', 'ASF', 'FLV'];
const ACCEPTED = 'image/*,video/*,.heic,.heif,.tif,.tiff,.mkv,.mts,.m2ts';

/** @typedef {import('../../core/types.js').Visit} Visit */

/** @type {import('../../core/types.js').View} */
export default {
  show({ root, signal, title, go }) {
    title(say('detect.title'));
    const place = h('div.detect-place');
    const options = settings();
    const limits = h('div.detect-limits.quiet', { id: 'detect-limits' });
    /** @type {any} */
    let known = null;
    const begin = (/** @type {Iterable<File>} */ files) => {
      const [file, ...more] = [...files];
      if (!file || place.querySelector('progress')) return;
      if (options.wrong()) return;
      const told = more.length ? say('detect.single') : '';
      const fault = faultOf(file, known);
      if (fault) return fill(place, zone(begin, limits, wordsOf({ code: fault })));
      send(place, file, { signal, go, options: options.values(), told, back: (text) => fill(place, zone(begin, limits, text)) });
    };
    fill(place, zone(begin, limits, ''));
    const mind = h('p.quiet.detect-mind', null, icon('warning'), h('span', null, say('detect.mind')));
    const help = h('p.detect-victims', null, h('a', { href: address('/victims') }, say('detect.victims')));
    const head = h('header', null, h('h1', null, say('detect.title')), h('p.lead', null, say('detect.lead')));
    fill(root, h('div.detect-start', null, head, place, options.element, mind, help));
    catchAll({ signal, text: say('detect.release'), take: begin });
    limited(limits, signal, (found) => {
      known = found;
      options.limit(found.clip_frames);
    });
  },
};

/**
 * @param {HTMLElement} place
 * @param {AbortSignal} signal
 * @param {(limits: any) => void} told
 */
async function limited(place, signal, told) {
  try {
    const found = await get('/limits', { signal });
    fill(place, limitsOf(found).map((text) => h('p', null, text)));
    told(found);
  } catch (thrown) {
    // the service says what is too much when it is sent
    if (!signal.aborted) problemOf(thrown);
  }
}

/** @param {any} limits */
function limitsOf(limits) {
  const named = (/** @type {string[]} */ each) => list(each.map((one) => NAMES[one] ?? one));
  const clips = CLIPS.filter((one) => limits.clip_containers.includes(one));
  const pixels = say('unit.pixels', { n: number(limits.pixels / (language === 'ko' ? 1e4 : 1e6)) });
  return [
    say('detect.limits.pictures', { formats: named(limits.containers), size: size(limits.upload_bytes), pixels }),
    say('detect.limits.clips', {
      formats: named(clips),
      size: size(limits.clip_bytes),
      time: duration(limits.clip_seconds),
      frames: limits.clip_frames,
    }),
    say('detect.limits.kept', { time: duration(limits.keep_hours * 3600) }),
  ];
}

/**
 * Return the code of what is wrong with a file as far as the browser knows; "" where nothing is.
 * @param {File} file
 * @param {any} limits
 */
function faultOf(file, limits) {
  if (!file.size) return 'unreadable_image';
  const clip = file.type.startsWith('video/');
  const most = clip ? limits?.clip_bytes : limits && Math.max(limits.upload_bytes, limits.clip_bytes);
  return file.size > (most ?? Infinity) ? 'too_large' : '';
}

/**
 * @param {(files: Iterable<File>) => void} begin
 * @param {HTMLElement} limits
 * @param {string} fault what went wrong before
 */
function zone(begin, limits, fault) {
  const field = (/** @type {Record<string, any>} */ more) => {
    const input = h('input', { type: 'file', hidden: true, 'aria-label': say('detect.file'), ...more });
    input.addEventListener('change', () => (begin(input.files ?? []), (input.value = '')));
    return input;
  };
  const input = field({ accept: ACCEPTED });
  const camera = field({ accept: 'image/*', capture: 'environment' });
  const press = (/** @type {HTMLInputElement} */ one) => () => one.click();
  const choose = h('button.primary', { type: 'button', onclick: press(input), 'aria-describedby': limits.id });
  choose.append(icon('search'), say('detect.file'));
  const photograph = h('button.detect-camera', { type: 'button', onclick: press(camera) }, icon('camera'));
  photograph.append(say('detect.camera'));
  const lead = h('p.detect-here', null, icon('photo'), h('span.detect-by-hand', null, say('detect.drop')));
  lead.append(h('span.detect-by-thumb', null, say('detect.thumb')));
  const area = h('div.detect-zone', null, lead, h('div.row', null, choose, photograph), limits, input, camera);
  area.addEventListener('click', (event) => {
    if (!(/** @type {Element} */ (event.target).closest('button, input'))) input.click();
  });
  const notice = fault && h('p.notice.warn', { role: 'alert' }, icon('warning'), h('span', null, fault));
  return h('section', { 'aria-label': say('detect.file') }, notice, area);
}

/**
 * Send a file, ask for its check, and lead to it.
 * @param {HTMLElement} place
 * @param {File} file
 * @param {{signal: AbortSignal, go: Visit['go'], options: object, told: string, back: (text: string) => void}} given
 */
async function send(place, file, { signal, go, options, told, back }) {
  const leaving = new AbortController();
  signal.addEventListener('abort', () => leaving.abort(signal.reason), { once: true });
  const bar = h('progress', { max: 1, value: 0, 'aria-labelledby': 'detect-stage' });
  const stage = h('p.detect-stage', { id: 'detect-stage' }, say('detect.sending'));
  const share = h('span.figure');
  const stop = h('button', { type: 'button' }, icon('stop'), say('detect.stop'));
  stop.addEventListener('click', () => (leaving.abort(new DOMException('stopped', 'AbortError')), back('')));
  const name = h('p.quiet.detect-name', null, file.name || say('detect.file'));
  const notice = told && h('p.quiet', null, told);
  fill(place, h('section.panel', null, name, stage, bar, h('p.spread', null, share), notice, h('div.row', null, stop)));
  announce(say('detect.sending'));
  stop.focus({ preventScroll: true });
  const heard = (/** @type {number} */ sent) => {
    bar.value = sent;
    share.textContent = percent(sent);
    if (sent === 1) stage.textContent = say('detect.starting');
  };
  /** @type {import('../../core/types.js').Upload | null} */
  let sent = null;
  try {
    sent = await upload(file, file.name || 'file', { signal: leaving.signal, told: heard });
    heard(1);
    const wish = { kind: 'detect', upload: sent.id, options };
    const job = await post('/jobs', wish, { signal: leaving.signal, key: `detect-${sent.id}` });
    go(`/jobs/${job.id}`);
  } catch (thrown) {
    if (sent) remove(`/uploads/${sent.id}`).catch(() => undefined);
    if (leaving.signal.aborted) return;
    back(wordsOf(problemOf(thrown)));
  }
}

/** @param {Problem | {code: string}} problem */
function wordsOf(problem) {
  if (problem.code === 'unreadable_image') return say('detect.unreadable');
  // there is no such kind where no worker has the classifier's weights
  return problem.code === 'option' ? say('detect.unavailable') : sentence(problem);
}
