/**
 * What travels between the service and the page, and between the page's parts. Types only.
 *
 * @typedef {'queued' | 'running' | 'cancelling' | 'done' | 'failed' | 'cancelled' | 'expired'} State
 *
 * @typedef {object} Result
 * @property {string} name
 * @property {string} filename
 * @property {string} media_type
 * @property {number} size
 * @property {string} sha256
 * @property {string} url
 *
 * @typedef {object} Progress
 * @property {string} stage
 * @property {number} done
 * @property {number} total
 * @property {number} share 0 to 1
 * @property {number | null} seconds_left
 * @property {Record<string, boolean>} detectors name -> whether it still sees the face
 *
 * @typedef {object} Job
 * @property {string} id
 * @property {string} kind
 * @property {string} name
 * @property {string} upload
 * @property {Record<string, any>} options
 * @property {State} state
 * @property {number} revision
 * @property {Progress} progress
 * @property {Record<string, any>} summary
 * @property {number | null} estimate seconds
 * @property {{code: string, message: string} | null} error
 * @property {Result[]} results
 * @property {number} attempt
 * @property {string} created ISO 8601, as all times
 * @property {string} queued
 * @property {string | null} started
 * @property {string | null} ended
 * @property {string} expires
 * @property {string} address
 * @property {string | null} share null for all but the owner
 *
 * @typedef {object} Upload
 * @property {string} id
 * @property {string} name
 * @property {string} container
 * @property {number} size bytes
 * @property {number | null} width
 * @property {number | null} height
 * @property {string} expires
 *
 * @typedef {object} Visit what a view is given when it is shown
 * @property {HTMLElement} root where the view draws; empty
 * @property {Record<string, string>} params what the gaps in the view's path hold
 * @property {URLSearchParams} query
 * @property {AbortSignal} signal aborted when the view is left: give it to every listener and request
 * @property {(title: string) => void} title names the window
 * @property {(path: string, options?: {replace?: boolean}) => void} go leads to another view; a path without the prefix
 *
 * @typedef {object} View what `default` of a view's module is
 * @property {(visit: Visit) => void | Promise<void>} show
 */

export {};
