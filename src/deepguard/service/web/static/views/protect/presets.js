/** How much may change: one card for each named set of options, with what it costs. */

import { fill, h, icon } from '../../core/dom.js';
import { duration, known, say } from '../../core/words.js';

/** @typedef {import('./draft.js').Draft} Draft */

/**
 * Return the cards; until a worker has reported, that it is awaited.
 * @param {Draft} draft
 */
export function presets(draft) {
  const cards = h('div.cards');
  const root = h('fieldset.protect-presets', null, h('legend', null, say('start.preset')), cards);
  const waiting = h('div.panel', { role: 'status', hidden: true }, h('h2', null, icon('wait'), say('starting.title')));
  waiting.append(h('p', null, say('starting.text')));
  /** @type {any} */
  let shown = null;
  draft.listen(() => {
    root.hidden = !draft.kind;
    waiting.hidden = !draft.late || Boolean(draft.kind);
    if (draft.kind !== shown) {
      shown = draft.kind;
      fill(cards, shown.presets.map((/** @type {any} */ each) => card(draft, each)));
    }
    for (const input of cards.querySelectorAll('input')) input.checked = input.value === draft.preset;
    for (const seconds of cards.querySelectorAll('[data-preset]')) {
      const time = draft.seconds[seconds.getAttribute('data-preset') ?? ''];
      seconds.textContent = time ? say('protect.seconds', { time: duration(time) }) : '';
    }
  });
  return h('div.protect-how-much', null, root, waiting);
}

/**
 * @param {Draft} draft
 * @param {{name: string, summary: string}} preset
 */
function card(draft, { name, summary }) {
  const choose = () => ((draft.preset = name), draft.changed());
  const words = known(`preset.${name}`);
  const foreign = words ? null : { lang: 'en' };
  return h(
    'label.card',
    null,
    h('input', { type: 'radio', name: 'preset', value: name, onchange: choose }),
    h('span.card-name', foreign, words ? say(`preset.${name}`) : name),
    h('span', foreign, words ? say(`preset.${name}.summary`) : summary),
    h('span.quiet.figure', { 'data-preset': name }),
  );
}
