import { h } from '../../core/dom.js';

/** @type {import('../../core/types.js').View} */
export default {
  show({ root, title }) {
    title('statistics');
    root.append(h('h1', null, 'statistics'));
  },
};
