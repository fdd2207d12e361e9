/** Where photos come from: chosen, dropped anywhere on the page, pasted, or taken with the camera. */

import { problemOf, sentence } from '../../core/api.js';
import { announce, fill, h, icon } from '../../core/dom.js';
import { duration, language, list, number, say, size } from '../../core/words.js';
import { catchAll } from '../../parts/drop.js';
import { background } from './draft.js';
import { Photo } from './photo.js';

/** @typedef {import('./draft.js').Draft} Draft */

const MOST = 50;
/** @type {Record<string, string>} */
const NAMES = { WEBP: 'WebP', HEIF: 'HEIC' };
const KNOWN = /^image\/(jpeg|pjpeg|png|webp|tiff|(x-ms-)?bmp|hei[cf])$/;

/**
 * Return the place to bring photos to; it becomes small once there are some.
 * @param {Draft} draft
 */
export function chooser(draft) {
  const take = (/** @type {Iterable<File>} */ files) => add(draft, [...files], root);
  const takeFolders = (/** @type {FileSystemEntry[]} */ entries) => background(draft.signal, async () => {
    try {
      const { filesOf } = await import('./folder.js');
      const files = await filesOf(entries);
      if (files.length) take(files);
      else root.tell(say('protect.folder'));
    } catch (thrown) {
      root.tell(sentence(problemOf(thrown)));
    }
  });
  const input = field({ accept: 'image/*,.heic,.heif,.tif,.tiff', multiple: true }, take);
  const camera = field({ accept: 'image/*', capture: 'environment' }, take);
  const choose = h('button.primary', { type: 'button', onclick: () => input.click() });
  const photograph = h('button.protect-camera', { type: 'button', onclick: () => camera.click() });
  photograph.append(icon('camera'), say('protect.camera'));
  const limits = h('p.quiet.protect-limits', { id: 'protect-limits' });
  const clear = h('button.ghost', { type: 'button', onclick: () => (draft.clear(), choose.focus()) });
  clear.append(icon('close'), say('protect.clear'));
  const notice = h('p.notice.warn', { role: 'status', hidden: true });
  const lead = h('p.protect-here', null, icon('photo'), h('span.protect-by-hand', null, say('protect.drop')));
  lead.append(h('span.protect-by-thumb', null, say('protect.several')));
  const zone = h('div.protect-zone', null, lead, h('div.row', null, choose, photograph, clear), limits, input, camera);
  zone.addEventListener('click', (event) => {
    const target = /** @type {Element} */ (event.target);
    if (!draft.photos.length && !target.closest('button, input')) input.click();
  });
  choose.setAttribute('aria-describedby', limits.id);
  const root = Object.assign(h('section.protect-choose', { 'aria-label': say('start.file') }, zone, notice), {
    tell(/** @type {string} */ text) {
      notice.hidden = !text;
      fill(notice, icon('warning'), h('span', null, text));
      announce(text);
    },
    focus: () => choose.focus(),
  });
  draft.listen(() => {
    const { some } = draft;
    root.classList.toggle('some', some);
    choose.classList.toggle('primary', !some);
    clear.hidden = draft.photos.length < 2;
    fill(choose, icon(some ? 'plus' : 'photo'), say(some ? 'protect.more' : 'start.file'));
    if (draft.limits && !limits.textContent) limits.append(limitsOf(draft.limits));
  });
  catchAll({ signal: draft.signal, text: say('protect.release'), take, takeFolders });
  return root;
}

/**
 * @param {Record<string, any>} properties
 * @param {(files: Iterable<File>) => void} take
 */
function field(properties, take) {
  const input = h('input', { type: 'file', hidden: true, 'aria-label': say('start.file'), ...properties });
  input.addEventListener('change', () => {
    take([...(input.files ?? [])]);
    // the same file may be chosen again
    input.value = '';
  });
  return input;
}

/** @param {any} limits */
function limitsOf(limits) {
  return say('start.limits', {
    formats: list(limits.containers.map((/** @type {string} */ each) => NAMES[each] ?? each)),
    size: size(limits.upload_bytes),
    pixels: say('unit.pixels', { n: number(limits.pixels / (language === 'ko' ? 1e4 : 1e6)) }),
    hours: duration(limits.keep_hours * 3600),
  });
}

/**
 * @param {Draft} draft
 * @param {File[]} files
 * @param {{tell: (text: string) => void}} told
 */
function add(draft, files, told) {
  if (!files.length) return;
  const most = Math.min(MOST, draft.limits?.queue_length_each ?? MOST);
  const room = Math.max(0, most - draft.photos.length);
  told.tell(files.length > room ? say('protect.many', { most }) : '');
  for (const file of files.slice(0, room)) {
    const photo = new Photo(draft, file.name || say('protect.nameless'), file);
    draft.photos.push(photo);
    const fault = faultOf(draft, file);
    if (fault) photo.fail(fault);
    else photo.send();
    if (!fault && !draft.open) draft.show(photo);
  }
  draft.changed();
}

/**
 * Return the code of what is wrong with a file as far as the browser knows; "" where nothing is.
 * @param {Draft} draft
 * @param {File} file
 */
function faultOf(draft, file) {
  if (!file.size) return 'empty';
  if (file.size > (draft.limits?.upload_bytes ?? Infinity)) return 'too_large';
  if (!file.type || KNOWN.test(file.type)) return '';
  return file.type.startsWith('image/') ? 'unsupported_image' : 'unreadable_image';
}
