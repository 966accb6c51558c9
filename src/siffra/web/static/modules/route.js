// Where we are: the part of the address after `#`, as `#/runs/KEY?sort=test`.
//
// It never leaves the browser, so the server needs no routes for views and sees no questions in its log.

/** The place in the address: path's parts, and the query. */
export function here() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
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

/** Write the state of this view into the address, without leaving it or adding to the history. */
export function remember(query) {
  const { path } = here();
  history.replaceState(null, "", to(path.length ? path : ["ask"], query));
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
