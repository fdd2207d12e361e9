/** Elements, without a template language: text is always text, so nothing that a user sends becomes markup. */

/** @typedef {Node | string | number | null | undefined | false | Child[]} Child */

/**
 * Return a new element. `tag` may carry classes ("p.quiet.small"). Properties that begin with "on" are listeners;
 * `class`, `for`, `role`, `aria-*`, `data-*` and whatever else an element has no property for become attributes;
 * `true` sets an attribute without a value; null, undefined and false set nothing.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T | `${T}.${string}`} tag
 * @param {Record<string, any> | null} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, properties, ...children) {
  const [name, ...classes] = tag.split('.');
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(' ');
  give(element, properties ?? {});
  element.append(...flat(children));
  return /** @type {HTMLElementTagNameMap[T]} */ (element);
}

/**
 * Return a new element of an SVG drawing.
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function s(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, String(value));
  element.append(...flat(children));
  return element;
}

/**
 * Return one of our icons, drawn with the text's colour; it says nothing to screen readers.
 * @param {string} name id in icons/icons.svg
 */
export function icon(name) {
  const drawing = s('svg', { class: 'icon', 'aria-hidden': 'true', focusable: 'false' });
  drawing.append(s('use', { href: `${new URL('../icons/icons.svg', import.meta.url).pathname}#${name}` }));
  return drawing;
}

/**
 * Put children in the place of all that an element holds.
 * @param {Element} parent
 * @param {...Child} children
 */
export function fill(parent, ...children) {
  parent.replaceChildren(...flat(children));
}

/**
 * Say something to screen readers without moving the focus; the last word wins.
 * @param {string} text
 */
export function announce(text) {
  const region = document.getElementById('announcer');
  if (region && region.textContent !== text) region.textContent = text;
}

/**
 * @param {Element} element
 * @param {Record<string, any>} properties
 */
function give(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2).toLowerCase(), value);
    else if (name === 'class') element.setAttribute('class', [element.className, value].filter(Boolean).join(' '));
    else if (name in element && !name.includes('-') && typeof value !== 'string') {
      /** @type {any} */ (element)[name] = value;
    } else if (name === 'value') /** @type {any} */ (element).value = value;
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

/**
 * @param {Child[]} children
 * @returns {Array<Node | string>}
 */
function flat(children) {
  return children
    .flat(9)
    .filter((each) => each !== null && each !== undefined && each !== false)
    .map((each) => (each instanceof Node ? each : String(each)));
}
