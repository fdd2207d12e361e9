import { h } from '../../core/dom.js';

/** @type {import('../../core/types.js').View} */
export default {
  show({ root, title }) {
    title('archive');
    root.append(h('h1', null, 'archive'));
  },
};
