/** The service's API: JSON in and out, and one kind of error. */

import { address } from './boot.js';
import { known, say } from './words.js';

const API = '/api/v1';
/** Too many requests, and what a proxy says while the service is not there. */
const PASSING = new Set([429, 502, 503, 504]);

/** Something that did not work, by the service's code; "network" where it could not be asked at all. */
export class Problem extends Error {
  /**
   * @param {{code: string, message?: string, details?: Record<string, any>, request_id?: string}} body
   * @param {number} [status]
   * @param {number} [after] seconds until trying again makes sense
   */
  constructor(body, status = 0, after = 0) {
    super(body.message ?? body.code);
    this.code = body.code;
    this.details = body.details ?? {};
    this.requestId = body.request_id ?? '';
    this.status = status;
    this.after = after;
  }

  /** Whether the same again may work in a moment. */
  get passing() {
    return this.code === 'network' || PASSING.has(this.status);
  }
}

/**
 * Return what went wrong as a sentence of the visitor's language.
 * @param {{code: string}} problem a Problem, or a job's error
 */
export function sentence(problem) {
  return say(known(`error.${problem.code}`) ? `error.${problem.code}` : 'error.error');
}

/**
 * Return what was thrown as a Problem; whoever left on purpose is not told: an abort is thrown on.
 * @param {unknown} thrown
 * @returns {Problem}
 */
export function problemOf(thrown) {
  if (thrown instanceof Problem) return thrown;
  if (thrown instanceof DOMException && thrown.name === 'AbortError') throw thrown;
  if (thrown instanceof TypeError) return new Problem({ code: 'network' });
  console.error(thrown);
  return new Problem({ code: 'page', message: String(thrown) });
}

/**
 * @param {string} path below the API, "/jobs?limit=20"
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<any>}
 */
export function get(path, options = {}) {
  return ask(path, { signal: options.signal });
}

/**
 * @param {string} path
 * @param {unknown} [body] sent as JSON
 * @param {{signal?: AbortSignal, key?: string}} [options] `key` makes it safe to send the same again
 * @returns {Promise<any>}
 */
export function post(path, body, options = {}) {
  /** @type {Record<string, string>} */
  const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
  if (options.key) headers['Idempotency-Key'] = options.key;
  const sent = body === undefined ? null : JSON.stringify(body);
  return ask(path, { method: 'POST', headers, body: sent, signal: options.signal });
}

/**
 * @param {string} path
 * @param {{signal?: AbortSignal}} [options]
 * @returns {Promise<void>}
 */
export function remove(path, options = {}) {
  return ask(path, { method: 'DELETE', signal: options.signal });
}

/**
 * Return the address of something below the API, for links and pictures.
 * @param {string} path
 */
export function apiAddress(path) {
  return address(API + path);
}

/**
 * Return the address of one of a job's results, below the prefix that this page is reached by.
 * @param {import('./types.js').Job} job
 * @param {string} name
 * @param {{inline?: boolean, share?: string}} [options] `inline` to be shown instead of saved
 */
export function resultAddress(job, name, { inline = false, share = '' } = {}) {
  const query = new URLSearchParams();
  if (inline) query.set('inline', 'true');
  if (share) query.set('share', share);
  const asked = String(query);
  return apiAddress(`/jobs/${job.id}/results/${encodeURIComponent(name)}${asked && `?${asked}`}`);
}

/** @type {Promise<unknown>} */
let first = Promise.resolve();
let visited = false;

/**
 * Send a file and return the upload. The first one of a page goes alone: it makes the visit that all others belong to.
 * @param {Blob} file
 * @param {string} name
 * @param {{signal?: AbortSignal, told?: (share: number) => void}} [options] `told` hears the share that is sent
 * @returns {Promise<import('./types.js').Upload>}
 */
export function upload(file, name, options = {}) {
  if (visited) return send(file, name, options);
  const mine = first.then(() => send(file, name, options));
  first = mine.then(
    () => (visited = true),
    () => undefined,
  );
  return mine;
}

/**
 * @param {Blob} file
 * @param {string} name
 * @param {{signal?: AbortSignal, told?: (share: number) => void}} options
 * @returns {Promise<import('./types.js').Upload>}
 */
function send(file, name, { signal, told }) {
  // fetch does not tell how much is sent
  const request = new XMLHttpRequest();
  const form = new FormData();
  form.append('file', file, name);
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener('abort', () => (request.abort(), reject(signal.reason)), { once: true });
    request.upload.onprogress = (event) => told?.(event.total ? event.loaded / event.total : 0);
    request.onerror = () => reject(new Problem({ code: 'network' }));
    request.onload = () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText));
      const after = Number(request.getResponseHeader('Retry-After') ?? 0);
      reject(new Problem(bodyOf(request.responseText), request.status, after));
    };
    request.open('POST', apiAddress('/uploads'));
    request.send(form);
  });
}

/**
 * @param {string} path
 * @param {RequestInit} options
 */
async function ask(path, options) {
  const answer = await fetch(apiAddress(path), options);
  if (answer.status === 204) return undefined;
  const text = await answer.text();
  if (!answer.ok) throw new Problem(bodyOf(text), answer.status, Number(answer.headers.get('Retry-After') ?? 0));
  return JSON.parse(text);
}

/**
 * Return the body of an error; a proxy between may answer with something of its own.
 * @param {string} text
 */
function bodyOf(text) {
  try {
    const body = JSON.parse(text);
    if (typeof body.code === 'string') return body;
  } catch {
    // not ours
  }
  return { code: 'unwell' };
}
