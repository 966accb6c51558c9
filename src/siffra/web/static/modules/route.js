// Where we are: the part of the address after `#`, as `#/runs/KEY?sort=test`.
//
// It never leaves the browser, so the server needs no routes for views and sees no questions in its log.

// Browsers refuse more than 100 changes of the address in 30 s: so many at once, and then one each REST.
const AT_ONCE = 20;
const REST = 400; // ms

let wanted = null; // what is to stand in the address, in the place of what does
let spare = AT_ONCE;
let restored = 0; // when all of them can be spent again

/** The place in the address: path's parts, and the query. */
export function here() {
  const [path, query] = (isWanted() ? wanted.hash : location.hash).replace(/^#\/?/, "").split("?");
  return { path: path.split("/").filter(Boolean).map(decode), query: new URLSearchParams(query) };
}

/** The address of a place. */
export function to(path, query = "") {
  const text = String(query);
  return `#/${path.map(encodeURIComponent).join("/")}${text && `?${text}`}`;
}

/** Go there, as a link would. */
export function go(path, query) {
  location.hash = to(path, query);
}

/** Write the state of this view into the address, without leaving it or adding to the history; soon
 *  where that was done many times just now. */
export function remember(query) {
  const { path } = here();
  wanted = { hash: to(path.length ? path : ["ask"], query), over: location.hash };
  write();
}

function write() {
  if (!isWanted()) wanted = null;
  if (!wanted || !spare) return;
  history.replaceState(null, "", wanted.hash);
  wanted = null;
  spare -= 1;
  const now = performance.now();
  restored = Math.max(restored, now) + REST;
  setTimeout(() => ((spare += 1), write()), restored - now);
}

// Not after somebody went elsewhere.
function isWanted() {
  return wanted !== null && wanted.over === location.hash;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
