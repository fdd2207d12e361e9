/** The photo that is shown large, with its faces. */

import { sentence } from '../../core/api.js';
import { announce, fill, h, icon } from '../../core/dom.js';
import { percent, say } from '../../core/words.js';
import { drawing } from './box.js';
import { frames, placed } from './faces.js';
import { shot } from './preview.js';

/**
 * @typedef {import('./photo.js').Photo} Photo
 * @typedef {import('./draft.js').Draft} Draft
 */

const SIDE = 1280;

/**
 * Return where the open photo is shown, its faces are chosen and others drawn.
 * @param {Draft} draft
 */
export function stage(draft) {
  const picture = h('div.protect-picture');
  const layer = h('div.protect-layer');
  const line = h('p.protect-line');
  const acts = h('div.row');
  const root = h('section.protect-stage', { 'aria-label': say('protect.stage') }, picture, line, acts);
  const changes = new Changes();
  draft.listen(() => {
    const photo = draft.open;
    root.hidden = !photo;
    if (!photo) return;
    const refused = photo.state === 'refused';
    if (changes.any('shot', photo, photo.source, photo.width, refused)) show(picture, layer, photo);
    // a frame that is being drawn stays, whatever is found meanwhile
    const laid = draft.drawing ? [] : [photo.faces, photo.box];
    if (changes.any('layer', photo, draft.drawing, photo.source, ...laid)) lay(draft, photo, layer, acts);
    layer.classList.toggle('blurs', Boolean(draft.filters.blur_others));
    const text = told(draft, photo);
    if (!changes.any('line', text.text, photo)) return;
    line.className = `protect-line ${text.tone}`;
    fill(line, icon(text.icon), h('span', null, text.text));
    if (text.loud) announce(text.text);
  });
  return root;
}

/** Which of several things have changed since they were last looked at. */
class Changes {
  /** @type {Map<string, any[]>} */
  #seen = new Map();

  /**
   * @param {string} name
   * @param {...any} values
   */
  any(name, ...values) {
    const before = this.#seen.get(name);
    this.#seen.set(name, values);
    return !before || values.some((each, at) => each !== before[at]);
  }
}

/**
 * @param {HTMLElement} picture
 * @param {HTMLElement} layer
 * @param {Photo} photo
 */
function show(picture, layer, photo) {
  picture.style.setProperty('--aspect', String(photo.width ? photo.width / photo.height : 4 / 3));
  fill(picture, h('div.protect-shot', null, shot(photo, SIDE, SIDE, photo.name)), layer);
}

/**
 * @param {Draft} draft
 * @param {Photo} photo
 * @param {HTMLElement} layer
 * @param {HTMLElement} acts
 */
function lay(draft, photo, layer, acts) {
  if (draft.drawing && photo.source) return draw(draft, photo, layer, acts);
  // what is replaced takes the focus with it
  const held = acts.contains(document.activeElement) || layer.contains(document.activeElement);
  const mark = h('div.protect-box', { role: 'img', 'aria-label': say('protect.box') });
  const box = photo.box && placed(mark, photo.box, photo);
  fill(layer, box ?? (photo.faces?.length ? frames(draft, photo) : null));
  const begin = h('button', { type: 'button', onclick: () => ((draft.drawing = true), draft.changed()) });
  begin.append(icon('plus'), say(photo.box ? 'protect.box.again' : 'protect.box.draw'));
  const drop = h('button.ghost', { type: 'button', onclick: () => ((photo.box = null), draft.changed()) });
  drop.append(say('protect.box.drop'));
  fill(acts, photo.source ? begin : null, photo.box ? drop : null);
  if (held) begin.focus({ preventScroll: true });
}

/**
 * @param {Draft} draft
 * @param {Photo} photo
 * @param {HTMLElement} layer
 * @param {HTMLElement} acts
 */
function draw(draft, photo, layer, acts) {
  const done = (/** @type {import('./photo.js').Box | null} */ box) => {
    photo.box = box ?? photo.box;
    draft.drawing = false;
    draft.changed();
  };
  const made = drawing(photo, done);
  fill(layer, made.layer);
  fill(
    acts,
    h('button.primary', { type: 'button', onclick: made.take }, say('protect.box.take')),
    h('button', { type: 'button', onclick: () => done(null) }, say('protect.box.leave')),
  );
  // the button that began it lies below the picture
  layer.scrollIntoView({ block: 'nearest' });
  made.frame.focus({ preventScroll: true });
}

/**
 * Return what is said about a photo beneath its picture.
 * @param {Draft} draft
 * @param {Photo} photo
 * @returns {{text: string, icon: string, tone: string, loud?: boolean}}
 */
function told(draft, photo) {
  if (draft.drawing && photo.source) return { text: how(), icon: 'plus', tone: '' };
  if (photo.state === 'refused' || photo.state === 'broken') {
    return { text: sentenceOf(photo), icon: 'warning', tone: 'bad', loud: true };
  }
  if (photo.box) return { text: say('protect.box.only'), icon: 'hidden', tone: 'good' };
  if (photo.state === 'waiting' || photo.state === 'sending') {
    const share = photo.share ? ` ${percent(photo.share)}` : '';
    return { text: say('protect.sending') + share, icon: 'wait', tone: 'soft' };
  }
  if (photo.unsearched) return { text: say('protect.unsearched'), icon: 'warning', tone: 'warn' };
  if (!photo.faces) return { text: say('protect.looking'), icon: 'search', tone: 'soft' };
  return { ...found(photo), loud: true };
}

/** Return how a face is drawn; of keys only where there are some. */
function how() {
  const keys = matchMedia('(any-hover: hover)').matches;
  return keys ? `${say('protect.box.how')} ${say('protect.box.arrows')}` : say('protect.box.how');
}

/** @param {Photo} photo */
function found(photo) {
  const count = photo.faces?.length ?? 0;
  const large = (photo.faces ?? []).filter((each) => each.large_enough).length;
  if (!count) return { text: say('protect.none'), icon: 'search', tone: 'warn' };
  if (!large) return { text: say('protect.small'), icon: 'search', tone: 'warn' };
  const chosen = photo.chosen.length;
  if (!chosen) return { text: say('protect.nobody'), icon: 'warning', tone: 'warn' };
  if (chosen < large) return { text: say('protect.some', { chosen, count }), icon: 'hidden', tone: 'good' };
  return { text: say(count > 1 ? 'protect.found' : 'protect.found.single', { count }), icon: 'hidden', tone: 'good' };
}

/**
 * Return what went wrong with a photo, in words.
 * @param {Photo} photo
 */
export function sentenceOf(photo) {
  if (photo.problem === 'empty') return say('protect.empty');
  return photo.problem === 'network' ? say('protect.broken') : sentence({ code: photo.problem });
}
