/** The few things that can be set before a check; most people need none of them. */

import { h } from '../../core/dom.js';
import { say } from '../../core/words.js';

const MOST = 2000;

/**
 * Return the fold with the settings, what they say, and whether one of them cannot be sent.
 */
export function settings() {
  let most = MOST;
  const help = h('p.quiet', { id: 'detect-frames-help' }, say('detect.frames.help'));
  const wrong = h('p.bad', { role: 'alert', hidden: true });
  const frames = h('input', {
    id: 'detect-frames', type: 'number', inputmode: 'numeric', min: '1', step: '1', 'aria-describedby': help.id,
  });
  const value = () => (frames.value.trim() ? Number(frames.value) : null);
  const valid = () => {
    const asked = value();
    return !frames.validity.badInput && (asked === null || (Number.isInteger(asked) && asked >= 1 && asked <= most));
  };
  const tell = () => {
    wrong.hidden = valid();
    wrong.textContent = valid() ? '' : say('detect.frames.wrong', { most });
    frames.setAttribute('aria-invalid', String(!valid()));
  };
  frames.addEventListener('input', tell);
  const label = h('label', { for: frames.id }, say('detect.frames'));
  const element = h(
    'details',
    null,
    h('summary', null, say('detect.options')),
    h('div.field', null, label, frames, wrong, help),
  );
  return {
    element,
    /** @param {number} count most frames that may be asked for */
    limit(count) {
      most = Math.min(MOST, count);
      frames.max = String(most);
    },
    values() {
      const asked = value();
      return asked === null ? {} : { frames: asked };
    },
    wrong() {
      if (valid()) return false;
      element.open = true;
      frames.focus();
      return true;
    },
  };
}
