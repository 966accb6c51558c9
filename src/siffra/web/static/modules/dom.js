// Elements from plain calls: h("p", { class: "soft" }, "some text", aChild).
//
// Text is only ever set as text, so nothing that the server sends can become markup.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. Attributes that are functions are listeners, `true` is an empty attribute,
 *  `false`, null and undefined are left out, and `vars` sets CSS custom properties. */
export function h(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function s(name, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

/** Put `children` in the place of what `element` holds; returns `element`. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Put `children` there only if `mark` differs from last time: what has not changed keeps its
 *  focus, its selection and its scroll position. */
export function refill(element, mark, make) {
  const text = JSON.stringify(mark);
  if (element.filledWith === text) return;
  element.filledWith = text;
  fill(element, ...[make()].flat());
}

/** `text` in pieces, those between backticks as code. */
export function marked(text) {
  return text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));
}

/** Change a text only where it differs, so that live regions speak only when they have news. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (name === "vars") {
      for (const [key, number] of Object.entries(value)) element.style.setProperty(key, number);
    } else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...nodes(children));
  return element;
}

function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false);
}
