/** What a proof is, for those who come without one. */

import { address } from '../../core/boot.js';
import { fill, h, icon } from '../../core/dom.js';
import { say } from '../../core/words.js';

/** @type {import('../../core/types.js').View} */
export default {
  show({ root, title }) {
    title(say('prove.title'));
    const rows = [
      ['search', say('prove.about.numbers')],
      ['photo', say('prove.about.sheet')],
      ['warning', say('prove.about.honest')],
    ];
    const list = h('ul.panel.prove-about', null, rows.map(([sign, text]) => h('li', null, icon(sign), h('span', null, text))));
    const links = [
      h('a.button.primary', { href: address('/archive?kind=protect&state=done') }, say('prove.about.choose')),
      h('a.button', { href: address('/') }, say('prove.about.protect')),
    ];
    const head = h('header', null, h('h1', null, say('prove.title')), h('p.lead', null, say('prove.about')));
    fill(root, h('div.narrow', null, head, list, h('div.row', null, links)));
  },
};
