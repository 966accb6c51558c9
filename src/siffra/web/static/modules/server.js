// Talking to siffra: JSON there and back, and one stream of events that mends itself.

import { fill, h, marked } from "./dom.js";
import { has, t } from "./words.js";

const AGAIN = 1500; // ms between tries to reach a server that has closed the stream
const JSON_ONLY = { headers: { Accept: "application/json" } };
const early = new Map(); // answers by path that nobody has got yet
let view = {}; // stands for the view that is shown

/** What the server refused. Its message is one line that can be shown as it is. */
export class Refused extends Error {
  constructor(status, { error = "server", why = "", knob = null } = {}) {
    super(why || (has(`ui.error.${error}`) ? t(`ui.error.${error}`) : error));
    this.status = status;
    this.code = error;
    this.knob = knob; // the field that it is about, if it is about one
  }
}

/** Show in `element` what was refused; any other error is ours, and goes on to the console. */
export function tellRefusal(element, error) {
  if (!(error instanceof Refused)) throw error;
  element.dataset.code = error.code;
  fill(element, marked(error.message));
}

/** A paragraph that says what was refused, where there is nothing else to show; as `tellRefusal`. */
export function refusalOf(error) {
  if (!(error instanceof Refused)) throw error;
  return h("p", { class: "refusal", role: "alert", "data-code": error.code }, marked(error.message));
}

/**
 * GET JSON. Raises Refused; where no server answers, Refused with the code `away`. What comes after
 * the view that asked was left never arrives, unless it `outlives` views: nothing is drawn where
 * nobody looks, and nothing leads away from where they look now.
 */
export function get(path, { outlives = false } = {}) {
  const answered = early.get(path) ?? answer(path, JSON_ONLY);
  early.delete(path);
  return ofView(answered, outlives);
}

/** Ask for `paths` before the view is there that will `get` them. */
export function getEarly(paths) {
  for (const path of paths) {
    early.set(path, answer(path, JSON_ONLY));
    early.get(path).catch(() => {}); // who gets it is told
  }
}

/** POST JSON, get JSON, as `get` does. */
export function post(path, body = {}) {
  const headers = { "Content-Type": "application/json", ...JSON_ONLY.headers };
  return ofView(answer(path, { method: "POST", headers, body: JSON.stringify(body) }), false);
}

/** The view that is shown is left: what it waits for will not arrive. */
export function leaveView() {
  view = {};
}

/** A function that hands a promise on, but for one that was handed to it before the latest, or
 *  before `drop()`: that never settles, so that no late answer takes the place of a newer one. */
export function latest() {
  let newest = null;
  const hand = (promise) => {
    newest = promise;
    return unless(() => newest !== promise, promise);
  };
  hand.drop = () => (newest = null);
  return hand;
}

/** A function that has `work` done, never twice at once: asked for meanwhile, it is done once more
 *  after. If it `rests`, half the time is left to who uses the page. It ends with its view. */
export function oneAtATime(work, { rests = false } = {}) {
  const mine = view;
  let wanted = false;
  let busy = false;
  return async () => {
    wanted = true;
    if (busy) return;
    busy = true;
    try {
      while (wanted && view === mine) {
        wanted = false;
        const start = performance.now();
        await work();
        if (rests) await new Promise((done) => setTimeout(done, performance.now() - start));
      }
    } finally {
      busy = false;
    }
  };
}

/**
 * Have `show(module)` done once the module is there that is `coming`; `failed(error)` if it never is.
 * Returns what ends what `show` began, and keeps it from beginning late.
 */
export function onceThere(coming, show, failed) {
  let leave = () => {};
  let over = false;
  coming.then(
    (module) => over || (leave = show(module) ?? leave),
    () => over || failed(new Refused(0, { error: "away" })),
  );
  return () => {
    over = true;
    leave();
  };
}

/** `act`, but not while it is still at it: buttons are clicked twice. */
export function single(act) {
  let busy = false;
  return async () => {
    if (busy) return;
    busy = true;
    await act().finally(() => (busy = false));
  };
}

function ofView(promise, outlives) {
  const mine = view;
  return unless(() => !outlives && view !== mine, promise);
}

async function answer(path, options) {
  const response = await fetch(path, options).catch(() => {
    throw new Refused(0, { error: "away" });
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

// The promise; it never settles if it is late by then.
function unless(isLate, promise) {
  return new Promise((resolve, reject) =>
    promise.then(
      (value) => isLate() || resolve(value),
      (error) => isLate() || reject(error),
    ),
  );
}

/**
 * Listen to the stream at `path`: `on[name](data)` for each event of that name, and
 * `linked(yes, why)` whenever the line is lost (why: an error's code) or there again. A page that nobody looks at hangs up, because a
 * browser grants all its pages together six lines to one server.
 */
export function listen(path, on, linked) {
  const asked = latest();
  let source = null;
  let timer = null;

  function open() {
    source = new EventSource(path);
    for (const [name, heard] of Object.entries(on)) {
      source.addEventListener(name, (event) => heard(JSON.parse(event.data)));
    }
    source.onopen = () => (asked.drop(), linked(true));
    source.onerror = () => {
      linked(false);
      // Closed for good is a refusal, as from a server that was started anew: ask which.
      if (source?.readyState === EventSource.CLOSED) {
        asked(get("api/jobs", { outlives: true })).catch((error) => linked(false, error.code));
        timer = setTimeout(open, AGAIN);
      }
    };
  }

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function lookedAt() {
    if (document.hidden) close();
    else if (!source) open();
  }

  document.addEventListener("visibilitychange", lookedAt);
  lookedAt();
  return () => {
    document.removeEventListener("visibilitychange", lookedAt);
    close();
  };
}
