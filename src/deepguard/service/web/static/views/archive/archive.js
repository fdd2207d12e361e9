/** What the visitor has made: all of it, or the photos that were just started together. */

import { batch } from './batch.js';
import { Browse } from './browse.js';

/** @type {import('../../core/types.js').View} */
export default {
  show(visit) {
    const ids = (visit.query.get('jobs') ?? '').split(',').filter(Boolean);
    return ids.length ? batch(visit, [...new Set(ids)]) : new Browse(visit).show();
  },
};
