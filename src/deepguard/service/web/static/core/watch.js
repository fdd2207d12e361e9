/** A job as it changes: over a websocket, by asking where that does not get through, and again after every break. */

import { Problem, apiAddress, get, problemOf } from './api.js';

const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 8000;
const OVER = new Set(['done', 'failed', 'cancelled', 'expired']);
const ASKED = 20;

/**
 * @typedef {object} News
 * @property {import('./types.js').Job} [job] how it is now
 * @property {boolean} [down] nothing is heard; the watch goes on by itself
 * @property {Problem} [gone] there is no such job (any more), and the watch has ended
 */

/**
 * Return whether a job has come to an end.
 * @param {import('./types.js').Job} job
 */
export function over(job) {
  return OVER.has(job.state);
}

/**
 * Tell of a job now and with every change until it is over, gone, or the signal is aborted.
 * @param {string} id
 * @param {(news: News) => void} told
 * @param {{signal: AbortSignal, share?: string}} options
 */
export async function watch(id, told, { signal, share = '' }) {
  let pause = FIRST_PAUSE;
  let sockets = true;
  const heard = (/** @type {import('./types.js').Job} */ job) => {
    pause = FIRST_PAUSE;
    told({ job });
    return over(job);
  };
  while (!signal.aborted) {
    try {
      /** @type {'over' | 'broken' | 'refused'} */
      const found = sockets ? await listen(id, share, heard, signal) : await asking(id, share, heard, signal);
      if (found === 'over') return;
      // a proxy that lets no websocket through refuses at once, and then asking is as good
      sockets = found !== 'refused';
    } catch (thrown) {
      if (signal.aborted) return;
      const problem = problemOf(thrown);
      if (!problem.passing && problem.status) return told({ gone: problem });
      sockets = true;
    }
    if (signal.aborted) return;
    if (sockets) {
      told({ down: true });
      await rested(pause, signal);
      pause = Math.min(LONGEST_PAUSE, 2 * pause);
    }
  }
}

/**
 * @param {string} id
 * @param {string} share
 * @param {(job: import('./types.js').Job) => boolean} heard
 * @param {AbortSignal} signal
 * @returns {Promise<'over' | 'broken' | 'refused'>}
 */
function listen(id, share, heard, signal) {
  const query = share ? `?share=${encodeURIComponent(share)}` : '';
  const url = new URL(apiAddress(`/jobs/${id}/progress${query}`), location.href);
  url.protocol = url.protocol.replace('http', 'ws');
  const socket = new WebSocket(url);
  return new Promise((resolve, reject) => {
    let opened = false;
    let ended = false;
    const leave = () => {
      // browsers complain of one that is closed before it is open
      if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
      else socket.close();
    };
    signal.addEventListener('abort', leave, { once: true });
    socket.onopen = () => (opened = true);
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      // the other message is that the database does not answer for now
      if ('state' in message) ended = heard(message);
    };
    socket.onclose = (event) => {
      signal.removeEventListener('abort', leave);
      const status = event.code >= 4000 ? event.code - 4000 : 0;
      if (ended) resolve('over');
      else if (status) reject(new Problem({ code: codeOf(status), message: event.reason }, status));
      else resolve(opened ? 'broken' : 'refused');
    };
  });
}

/**
 * @param {string} id
 * @param {string} share
 * @param {(job: import('./types.js').Job) => boolean} heard
 * @param {AbortSignal} signal
 * @returns {Promise<'over'>}
 */
async function asking(id, share, heard, signal) {
  const query = new URLSearchParams(share ? { share } : {});
  for (;;) {
    const job = await get(`/jobs/${id}?${query}`, { signal });
    if (heard(job)) return 'over';
    query.set('wait', String(ASKED));
    query.set('revision', String(job.revision));
  }
}

/** @param {number} status */
function codeOf(status) {
  return { 401: 'key_wrong', 403: 'forbidden', 404: 'not_found', 410: 'expired', 429: 'rate' }[status] ?? 'unwell';
}

/**
 * Wait; shorter where the network has come back meanwhile.
 * @param {number} milliseconds
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function rested(milliseconds, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      resolve();
    };
    const timer = setTimeout(done, milliseconds);
    addEventListener('online', done);
    signal.addEventListener('abort', done, { once: true });
  });
}
