// Small helpers for elements.

export const $ = (id) => document.getElementById(id);

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes, listeners (onclick ...) and children. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child != null));
  return element;
}

/** Tell those who listen instead of look. */
export function say(text) {
  $("said").textContent = text;
}

/** A word on a button, for two seconds. */
export function flash(button, word) {
  const was = (button.dataset.was ??= button.textContent);
  button.textContent = word;
  setTimeout(() => { button.textContent = was; }, 2000);
}

/** What the browser's `storage` has under a name, a new value if one is given; null where it may keep nothing. */
export function stored(storage, name, value) {
  try {
    if (value !== undefined) window[storage].setItem(name, value);
    return window[storage].getItem(name);
  } catch {
    return null;
  }
}

export const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export const round = (value, step) => Math.round(value / step) * step;

/** A number without a tail. */
export const short = (value, digits = 2) => String(+value.toFixed(digits));

/** A colour of the style sheet, as it is now. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** Call `draw` with the width of an element, now and whenever it changes. */
export function onWidth(element, draw) {
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.round(element.clientWidth);
    if (now && now !== width) draw((width = now));
  }).observe(element);
}

/** Let a finger that goes aside draw, steeply too, where the browser would scroll for any diagonal. */
export function steep(element) {
  let from, draws;
  element.addEventListener("touchstart", ({ touches }) => { [from, draws] = [touches[0], null]; }, { passive: true });
  element.addEventListener("touchmove", (event) => {
    const [to, second] = event.touches;
    draws ??= !second && Math.abs(to.clientY - from.clientY) < 2 * Math.abs(to.clientX - from.clientX);
    if (draws) event.preventDefault();
  }, { passive: false });
}

/** Seconds at which to draw lines over a length. */
export function ticks(seconds, most = 12) {
  const step = [0.5, 1, 2, 5, 10, 20].find((one) => seconds / one <= most) ?? 60;
  return Array.from({ length: Math.floor(seconds / step + 1e-6) + 1 }, (_, i) => i * step);
}

/** About as many round values of a range as asked; on a logarithmic scale the same ones of each ten. */
export function rounds(low, high, most, log = false) {
  const tens = (value) => 10 ** Math.floor(Math.log10(value));
  if (log && high > 4 * low) {
    const all = [], each = high > 20 * low ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 6];
    for (let ten = tens(low); ten <= high; ten *= 10) all.push(...each.map((one) => one * ten));
    return all.filter((value) => value >= low && value <= high);
  }
  const ten = tens((high - low || 1) / most);
  const step = ten * [1, 2, 5, 10].find((one) => (high - low || 1) / (one * ten) <= most);
  const first = Math.ceil(low / step - 1e-6);
  return Array.from({ length: Math.floor(high / step + 1e-6) - first + 1 }, (_, i) => +((first + i) * step).toPrecision(12));
}
