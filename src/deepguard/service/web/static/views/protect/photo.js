/** One chosen photo: it is sent at once, then searched for faces. */

import { Problem, get, post, problemOf, remove, resultAddress, upload } from '../../core/api.js';
import { over, watch } from '../../core/watch.js';
import { background, lane } from './draft.js';
import { measured } from './preview.js';

/**
 * @typedef {object} Face
 * @property {number} number counted from 1, left to right
 * @property {Box} box
 * @property {boolean} large_enough
 * @typedef {{x: number, y: number, width: number, height: number}} Box in pixels of the upright picture
 * @typedef {'waiting' | 'sending' | 'sent' | 'broken' | 'refused' | 'started'} PhotoState
 * @typedef {import('./draft.js').Draft} Draft
 */

const PAUSE = 5;
/** What another try with the same file would not change. */
const OF_THE_FILE = new Set([
  'empty', 'too_large', 'image_too_large', 'unreadable_image', 'unsupported_image', 'input', 'expired', 'not_found',
]);
const sending = lane(3);
// each search is watched, and a browser opens only so many connections
const searching = lane(2);

export class Photo {
  /** @type {PhotoState} */
  state = 'waiting';
  /** @type {Promise<void> | null} over once it is known whether the browser shows it, and how large it is */
  seen = null;
  /** Share of the file that is sent. */
  share = 0;
  /** Code of what went wrong. */
  problem = '';
  /** @type {import('../../core/types.js').Upload | null} */
  upload = null;
  /** Width and height of the upright picture; 0 while unknown. */
  width = 0;
  height = 0;
  /** Whether the browser itself can show the file. */
  shows = false;
  /** Id of the job that looks for faces. */
  search = '';
  /** Whether that job is over without an answer. */
  unsearched = false;
  /** Address of a picture for files that the browser cannot show. */
  preview = '';
  /** @type {Face[] | null} null until they were looked for */
  faces = null;
  /** @type {Set<number>} numbers of the faces that stay as they are */
  left = new Set();
  /** @type {number[]} numbers of the faces that are wanted, from options of before, until the faces are known */
  wanted = [];
  /** @type {Box | null} drawn by hand */
  box = null;
  /** What was asked for last, and the key by which the same wish is known. */
  wish = { text: '', key: '' };
  /** Id of the job that protects it. */
  job = '';
  /** Whether it was started before this visit came back to it. */
  begun = false;
  /** Whether the upload came from this form, not from an earlier job. */
  own = true;

  /**
   * @param {Draft} draft
   * @param {string} name
   * @param {File | null} file null where it was sent before
   */
  constructor(draft, name, file = null) {
    this.draft = draft;
    this.name = name;
    this.file = file;
    this.leaving = new AbortController();
    draft.signal.addEventListener('abort', () => this.leaving.abort(draft.signal.reason), { once: true });
  }

  /** Faces that will be protected where none is drawn. */
  get chosen() {
    return (this.faces ?? []).filter((each) => each.large_enough && !this.left.has(each.number));
  }

  /** Whether there is nothing to protect until somebody draws or takes in a face. */
  get faceless() {
    return !this.box && this.faces !== null && !this.chosen.length;
  }

  get ready() {
    return this.state === 'sent' && !this.faceless;
  }

  /** Where a picture of it comes from by now. */
  get source() {
    return this.shows ? 'file' : this.preview;
  }

  /** Send it, or send it again. */
  send() {
    this.problem = '';
    this.seen ??= this.#measured();
    this.#become('waiting');
    background(this.leaving.signal, () => sending(() => this.#sent()));
  }

  /** Look for faces; a job that does so already is `search`. */
  look() {
    background(this.leaving.signal, () => searching(() => this.#looked()));
  }

  /** Stop whatever goes on, and have the service forget it. */
  drop() {
    this.leaving.abort(new DOMException('removed', 'AbortError'));
    if (this.state === 'started' || !this.own || !this.upload) return;
    // a search takes its upload along
    if (this.search && !this.faces) post(`/jobs/${this.search}/cancel`).catch(() => undefined);
    else remove(this.search ? `/jobs/${this.search}` : `/uploads/${this.upload.id}`).catch(() => undefined);
  }

  /**
   * @param {string} code
   * @param {boolean} hopeless
   */
  fail(code, hopeless = OF_THE_FILE.has(code)) {
    this.problem = code;
    this.#become(hopeless ? 'refused' : 'broken');
  }

  /** @param {PhotoState} state */
  #become(state) {
    this.state = state;
    this.draft.changed();
  }

  async #sent() {
    const { signal } = this.leaving;
    if (signal.aborted || !this.file) return;
    try {
      await this.seen;
      const most = this.draft.limits?.pixels ?? Infinity;
      if (this.width * this.height > most) throw new Problem({ code: 'image_too_large' });
      this.#become('sending');
      const told = (/** @type {number} */ share) => ((this.share = share), this.draft.changed());
      this.upload = await upload(this.file, this.name, { signal, told });
      const { width, height } = this.upload;
      // what the browser cannot show has its place by the service's word
      if (!this.width && width && height) Object.assign(this, { width, height });
    } catch (thrown) {
      if (signal.aborted) return;
      return this.fail(problemOf(thrown).code);
    }
    this.#become('sent');
    this.look();
  }

  async #measured() {
    const size = this.file && (await measured(this.file));
    if (size) Object.assign(this, { width: size.width, height: size.height, shows: true });
    this.draft.changed();
  }

  async #looked() {
    const { signal } = this.leaving;
    while (!signal.aborted) {
      try {
        if (!this.search) {
          const wish = { kind: 'find', upload: this.upload?.id, options: {} };
          this.search = (await post('/jobs', wish, { signal })).id;
          this.draft.changed();
        }
        return await this.#watched(signal);
      } catch (thrown) {
        if (signal.aborted) return;
        const problem = problemOf(thrown);
        if (OF_THE_FILE.has(problem.code) && !this.search) return this.fail(problem.code);
        // a search that is no more is begun anew
        if (this.search && problem.status === 404) this.search = '';
        else if (!problem.passing) return this.#become(((this.unsearched = true), this.state));
        else await new Promise((resolve) => setTimeout(resolve, 1000 * (problem.after || PAUSE)));
      }
    }
  }

  /** @param {AbortSignal} signal */
  async #watched(signal) {
    /** @type {import('../../core/types.js').Job | undefined} */
    let job;
    await watch(
      this.search,
      (news) => {
        if (news.gone) throw news.gone;
        job = news.job ?? job;
      },
      { signal },
    );
    if (!job || !over(job) || signal.aborted) return;
    if (job.error && OF_THE_FILE.has(job.error.code)) return this.fail(job.error.code);
    const answer = job.state === 'done' ? await get(`/jobs/${job.id}/results/faces`, { signal }) : null;
    if (!answer) this.unsearched = true;
    else this.#know(answer);
    if (job.results.some((each) => each.name === 'preview')) {
      this.preview = resultAddress(job, 'preview', { inline: true });
    }
    this.draft.changed();
  }

  /** @param {{width: number, height: number, faces: Face[]}} answer */
  #know({ width, height, faces }) {
    Object.assign(this, { width, height, faces });
    if (this.wanted.length) {
      const others = faces.filter((each) => !this.wanted.includes(each.number));
      this.left = new Set(others.map((each) => each.number));
      this.wanted = [];
    }
  }
}
