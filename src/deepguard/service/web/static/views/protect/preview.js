/** A photo as it is seen before anything is done to it; decoded beside the main thread. */

import { h, icon } from '../../core/dom.js';
import { say } from '../../core/words.js';
import { lane } from './draft.js';

/** @typedef {import('./photo.js').Photo} Photo */

// a decoded photo of 12 megapixels takes 48 MB
const decoding = lane(1);

/**
 * Return a file's upright size in pixels, null where the browser cannot show it. Nothing is decoded.
 * @param {Blob} file
 * @returns {Promise<{width: number, height: number} | null>}
 */
export function measured(file) {
  const address = URL.createObjectURL(file);
  const image = new Image();
  return new Promise((resolve) => {
    const end = (/** @type {{width: number, height: number} | null} */ size) => {
      URL.revokeObjectURL(address);
      resolve(size);
    };
    image.onload = () => end({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = () => end(null);
    image.src = address;
  });
}

/**
 * Return an element that shows a photo as far as that is possible by now.
 * @param {Photo} photo
 * @param {number} least shorter side in pixels, where the longer one does not become more than `most` by that
 * @param {number} most longer side in pixels
 * @param {string} text what is said instead of it; "" where something beside it says so
 */
export function shot(photo, least, most, text) {
  const [short, long] = [photo.width, photo.height].sort((one, other) => one - other);
  const scale = Math.min(1, least / short, most / long);
  if (photo.shows && photo.file) return canvas(photo, photo.file, scale, text);
  const { width, height } = photo;
  if (photo.preview) return h('img', { src: photo.preview, alt: text, width, height, decoding: 'async' });
  // of what is no photo none will ever be seen
  const promise = text && photo.state !== 'refused' ? h('span', null, say('protect.blank')) : null;
  return h('span.protect-blank', null, icon('photo'), promise);
}

/**
 * @param {Photo} photo
 * @param {File} file
 * @param {number} scale
 * @param {string} text
 */
function canvas(photo, file, scale, text) {
  const width = Math.max(1, Math.round(photo.width * scale));
  const height = Math.max(1, Math.round(photo.height * scale));
  const named = text ? { role: 'img', 'aria-label': text } : { 'aria-hidden': 'true' };
  const element = h('canvas', { width, height, ...named });
  const { signal } = photo.leaving;
  decoding(async () => {
    if (signal.aborted) return;
    const options = { resizeWidth: width, resizeHeight: height, resizeQuality: /** @type {const} */ ('medium') };
    const bitmap = await createImageBitmap(file, { ...options, imageOrientation: 'from-image' });
    // a canvas that takes the bitmap over as it is shows it without its orientation
    element.getContext('2d')?.drawImage(bitmap, 0, 0, width, height);
    bitmap.close();
  }).catch(() => {
    // a file that is damaged after its beginning; the service says so
  });
  return element;
}
