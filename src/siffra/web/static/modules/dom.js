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

// What is wider than its box is a stop of the Tab key, so that arrow keys scroll it in every browser.
const widths = new ResizeObserver((entries) => {
  for (const host of new Set(entries.map(({ target }) => target.closest(".scroll")))) {
    if (host && host.scrollWidth > host.clientWidth) host.tabIndex = 0;
    else host?.removeAttribute("tabindex");
  }
});

/** A box called `label` that scrolls where its `child`, a table, is wider. */
export function scroller(label, child) {
  const host = h("div", { class: "scroll", role: "group", "aria-label": label }, child);
  [host, child].forEach((each) => widths.observe(each));
  return host;
}

/** Put `children` in the place of what `element` holds; returns `element`. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/** Put `children` there only if `mark` differs from last time, and then as `keeping` does. */
export function refill(element, mark, make) {
  const text = JSON.stringify(mark);
  if (element.filledWith === text) return;
  element.filledWith = text;
  keeping(element, () => fill(element, ...[make()].flat()));
}

/** `redraw` what is in `element`, for a reader who stays where they are: focus and caret, what is
 *  marked, unfolded and scrolled. Where the control that had the focus is gone, the first has it. */
export function keeping(element, redraw) {
  const all = (selector) => [...element.querySelectorAll(selector)];
  const marked = markedIn(element);
  const open = all("details").map((each) => each.open);
  const scrolled = all(".scroll").map((each) => [each.scrollLeft, each.scrollTop]);
  const focused = element.querySelector(":focus");
  redraw();
  all("details").forEach((each, i) => open[i] && (each.open = true));
  all(".scroll").forEach((each, i) => scrolled[i] && each.scrollTo(...scrolled[i]));
  if (marked) mark(element, marked);
  if (!focused || focused.isConnected) return;
  const same = all(focused.localName).find((each) => !each.disabled && nameOf(each) === nameOf(focused));
  const next = same ?? element.querySelector(":is(a[href], button, input, select, summary):not(:disabled)");
  next?.focus({ preventScroll: true });
  // Of a number's field no caret is known.
  if (same && focused.selectionStart != null) same.setSelectionRange(focused.selectionStart, focused.selectionEnd);
}

// By which a control that was drawn anew is known again.
function nameOf(control) {
  const own = control.id || control.getAttribute("href") || Object.values(control.dataset).join();
  return own || (control.type === "checkbox" && control.value) || control.textContent;
}

// What is marked in `element`, from where to where, by places among the children.
function markedIn(element) {
  const { isCollapsed, anchorNode, anchorOffset, focusNode, focusOffset } = getSelection();
  if (isCollapsed || !element.contains(anchorNode) || !element.contains(focusNode)) return null;
  const path = (node) =>
    node === element ? [] : [...path(node.parentNode), [...node.parentNode.childNodes].indexOf(node)];
  return [path(anchorNode), anchorOffset, path(focusNode), focusOffset];
}

function mark(element, [from, fromOffset, to, toOffset]) {
  const at = (path) => path.reduce((node, i) => node?.childNodes[i], element);
  const within = (node, offset) => Math.min(offset, node.length ?? node.childNodes.length);
  const [first, last] = [at(from), at(to)];
  if (first && last) getSelection().setBaseAndExtent(first, within(first, fromOffset), last, within(last, toOffset));
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
