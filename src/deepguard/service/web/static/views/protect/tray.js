/** All chosen photos, small: each with how it is, and what can be done with it. */

import { percent, say, size } from '../../core/words.js';
import { address } from '../../core/boot.js';
import { fill, h, icon } from '../../core/dom.js';
import { shot } from './preview.js';
import { sentenceOf } from './stage.js';

/**
 * @typedef {import('./photo.js').Photo} Photo
 * @typedef {import('./draft.js').Draft} Draft
 */

const [LEAST, MOST] = [240, 1280];

/**
 * Return the list of chosen photos.
 * @param {Draft} draft
 * @param {() => void} emptied called when the last one was removed
 */
export function tray(draft, emptied) {
  /** @type {Map<Photo, {element: HTMLElement, update: () => void}>} */
  const cards = new Map();
  const root = h('ul.protect-tray', { 'aria-label': say('protect.photos') });
  const drop = (/** @type {Photo} */ photo) => {
    const at = draft.photos.indexOf(photo);
    draft.photos = draft.photos.filter((each) => each !== photo);
    photo.drop();
    if (draft.open === photo) draft.show(draft.photos.find((each) => each.state !== 'refused') ?? null);
    draft.changed();
    const next = root.querySelectorAll('li')[Math.min(at + 1, cards.size - 1)];
    if (draft.photos.length) /** @type {HTMLElement | null} */ (next?.querySelector('.protect-drop'))?.focus();
    else emptied();
  };
  draft.listen(() => {
    for (const [photo, card] of cards) {
      if (draft.photos.includes(photo)) continue;
      card.element.remove();
      cards.delete(photo);
    }
    for (const photo of draft.photos) {
      if (!cards.has(photo)) cards.set(photo, cardOf(draft, photo, () => drop(photo)));
      const card = /** @type {{element: HTMLElement, update: () => void}} */ (cards.get(photo));
      if (!card.element.isConnected) root.append(card.element);
      card.update();
    }
    root.classList.toggle('single', draft.photos.length === 1);
  });
  return root;
}

/**
 * @param {Draft} draft
 * @param {Photo} photo
 * @param {() => void} drop
 */
function cardOf(draft, photo, drop) {
  const small = h('span.protect-small');
  const word = h('span.protect-state');
  const bar = h('progress', { max: 1, 'aria-label': say('protect.sending') });
  const acts = h('span.protect-acts');
  const facts = photo.file ? h('span.quiet.figure', null, size(photo.file.size)) : null;
  const title = h('span.protect-title', null, h('span.protect-name', { title: photo.name }, photo.name), facts);
  const open = h('button.protect-open', { type: 'button', onclick: () => draft.show(photo) }, small, title);
  const gone = h('button.ghost.protect-drop', { type: 'button', onclick: drop }, icon('close'));
  gone.setAttribute('aria-label', say('protect.remove', { name: photo.name }));
  const element = h('li.protect-card', null, open, h('span.protect-how', null, word, bar, acts), gone);
  let source = '-';
  let before = '';
  const update = () => {
    const single = draft.photos.length === 1;
    if (!single && photo.source !== source) fill(small, shot(photo, LEAST, MOST, ''));
    if (!single) source = photo.source;
    open.setAttribute('aria-pressed', String(draft.open === photo));
    open.disabled = single || photo.state === 'refused';
    element.classList.toggle('problem', photo.state === 'refused' || photo.state === 'broken');
    bar.hidden = photo.state !== 'sending';
    bar.value = photo.share;
    const now = stateOf(photo);
    if (now.text === before) return;
    before = now.text;
    fill(word, icon(now.icon), h('span', null, now.text));
    fill(acts, actOf(photo));
  };
  return { element, update };
}

/** @param {Photo} photo */
function actOf(photo) {
  if (photo.state === 'broken') {
    return h('button', { type: 'button', onclick: () => photo.send() }, icon('repeat'), say('protect.again'));
  }
  if (photo.state === 'started') return h('a', { href: address(`/jobs/${photo.job}`) }, say('protect.see'));
  return null;
}

/** @param {Photo} photo */
function stateOf(photo) {
  if (photo.problem) return { text: sentenceOf(photo), icon: 'warning' };
  if (photo.state === 'started') return { text: say('protect.started'), icon: 'hidden' };
  if (photo.state === 'waiting') return { text: say('protect.queued'), icon: 'wait' };
  if (photo.state === 'sending') return { text: say('protect.sent', { share: percent(photo.share) }), icon: 'wait' };
  if (photo.box) return { text: say('protect.box'), icon: 'hidden' };
  if (photo.faceless) return { text: say('protect.choose'), icon: 'warning' };
  if (photo.faces) return { text: say('protect.faces.count', { count: photo.chosen.length }), icon: 'hidden' };
  if (photo.unsearched) return { text: say('protect.kept'), icon: 'hidden' };
  return { text: say('protect.searching'), icon: 'search' };
}
