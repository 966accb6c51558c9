// Talking to siffra: JSON there and back, and one stream of events that mends itself.

import { fill, h, marked } from "./dom.js";
import { has, t } from "./words.js";

const AGAIN = 1500; // ms between tries to reach a server that has closed the stream

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

/** A paragraph that says what was refused, where there is nothing else to show. */
export function refusalOf(error) {
  return h("p", { class: "refusal", role: "alert", "data-code": error.code }, marked(error.message));
}

/** GET JSON. Raises Refused; where no server answers, Refused with the code `away`. */
export function get(path, { signal } = {}) {
  return ask(path, { signal, headers: { Accept: "application/json" } });
}

/** POST JSON, get JSON. Raises as `get` does. */
export function post(path, body = {}, { signal } = {}) {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  return ask(path, { method: "POST", headers, body: JSON.stringify(body), signal });
}

async function ask(path, options) {
  const response = await fetch(path, options).catch((error) => {
    throw error.name === "AbortError" ? error : new Refused(0, { error: "away" });
  });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, body);
  return body;
}

/**
 * Listen to the stream at `path`: `on[name](data)` for each event of that name, and
 * `linked(yes, why)` whenever the line is lost (why: an error's code) or there again. A page that nobody looks at hangs up, because a
 * browser grants all its pages together six lines to one server.
 */
export function listen(path, on, linked) {
  let source = null;
  let timer = null;

  function open() {
    source = new EventSource(path);
    for (const [name, heard] of Object.entries(on)) {
      source.addEventListener(name, (event) => heard(JSON.parse(event.data)));
    }
    source.onopen = () => linked(true);
    source.onerror = () => {
      linked(false);
      // Closed for good is a refusal, as from a server that was started anew: ask which.
      if (source?.readyState === EventSource.CLOSED) {
        get("api/jobs").catch((error) => linked(false, error.code));
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
