/** What is put together before it starts: photos, and what is to be done with them. */

/** @typedef {import('./photo.js').Photo} Photo */

export class Draft {
  /** @type {Photo[]} */
  photos = [];
  /** @type {Photo | null} the one that is shown large */
  open = null;
  /** @type {any} the kind of job, as the API describes it; null until a worker has reported */
  kind = null;
  /** @type {any} the service's limits; null until they are known */
  limits = null;
  preset = '';
  /** @type {Record<string, number | boolean>} photo filters that do something */
  filters = {};
  /** @type {Record<string, any>} options that differ from the preset's */
  expert = {};
  /** @type {Set<string>} fields of the expert mode that hold what cannot be sent */
  wrong = new Set();
  /** Whether a face is being drawn. */
  drawing = false;
  /** Whether jobs are being asked for. */
  starting = false;
  /** Whether no worker has reported yet. */
  late = false;
  /** Whether what a chosen photo needs is on the page. */
  grown = false;
  /** @type {Record<string, number>} preset -> seconds for the open photo, as far as they are known */
  seconds = {};
  /** @type {{seconds: number, waiting: number} | null} for all photos that are ready */
  total = null;
  /** @type {any[]} models as the service knows them; none until they were asked for */
  models = [];

  /** @type {Array<() => void>} */
  #listeners = [];
  #told = false;

  /** @param {AbortSignal} signal aborted when the view is left */
  constructor(signal) {
    this.signal = signal;
  }

  /** @param {() => void} listener called after every change, and now */
  listen(listener) {
    this.#listeners.push(listener);
    listener();
  }

  /** Tell everybody that something has changed; several changes at once are told as one. */
  changed() {
    if (this.#told) return;
    this.#told = true;
    queueMicrotask(() => {
      this.#told = false;
      if (!this.signal.aborted) this.tell();
    });
  }

  /** Tell everybody now. */
  tell() {
    for (const each of this.#listeners) each();
  }

  /** Whether photos are shown. */
  get some() {
    return this.grown && this.photos.length > 0;
  }

  /** Photos of which a job can be made now. */
  get ready() {
    return this.photos.filter((each) => each.ready);
  }

  /** Options of the chosen preset. */
  get defaults() {
    return this.kind?.presets.find((/** @type {any} */ each) => each.name === this.preset)?.options ?? {};
  }

  /** @param {Photo | null} photo shown large from now on */
  show(photo) {
    this.open = photo;
    this.drawing = false;
    this.changed();
  }

  /** Take all photos out. */
  clear() {
    for (const each of this.photos) each.drop();
    this.photos = [];
    this.show(null);
  }

  /**
   * Return the options that are the same for all photos.
   * @returns {Record<string, any>}
   */
  common() {
    const options = { preset: this.preset, ...this.expert };
    return Object.keys(this.filters).length ? { ...options, filters: this.filters } : options;
  }

  /**
   * Return the options for one photo; all faces where none was left out.
   * @param {Photo} photo
   */
  optionsOf(photo) {
    const options = this.common();
    if (photo.box) return { ...options, box: photo.box };
    return photo.left.size ? { ...options, faces: photo.chosen.map((each) => each.number) } : options;
  }
}

/**
 * Let something go on by itself; leaving ends it without a word.
 * @param {AbortSignal} signal
 * @param {() => Promise<void>} work
 */
export function background(signal, work) {
  work().catch((thrown) => {
    if (!signal.aborted) throw thrown;
  });
}

/**
 * Return a way in which at most so many things are done at once, the others after them in their order.
 * @param {number} most
 */
export function lane(most) {
  /** @type {Array<() => void>} */
  const waiting = [];
  let free = most;
  /** @type {<T>(work: () => Promise<T>) => Promise<T>} */
  return async (work) => {
    if (free) free -= 1;
    else await new Promise((resolve) => waiting.push(() => resolve(null)));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
