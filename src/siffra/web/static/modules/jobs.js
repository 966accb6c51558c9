// The job queue as the server reports it: tasks, the run in progress, its epochs.

import { listen, post } from "./server.js";
import { language } from "./words.js";

const REST = 100; // ms between two drawings of epochs, at least: a small network has hundreds a second
const MOST_REST = 2000; // ms, where the machine is so busy that a drawing takes long

const listeners = new Set();
let hangUp = () => {};
let latest = null; // the epoch that listeners have not heard of yet
let drawing = 0; // ms that the last drawing took
let state = { linked: true, why: "", paused: false, queue: [], running: null };

/** The latest state: `{ linked, why, paused, queue, running }`. */
export function jobs() {
  return state;
}

/**
 * Subscribe to events: `heard(kind, data)`, of kind `queue` (the whole state), `epoch` (the latest;
 * those between are in the state alone), `lab`, `model`, or `link`: the connection is lost, or
 * there (again). Returns what ends it.
 */
export function onJobs(heard) {
  listeners.add(heard);
  return () => listeners.delete(heard);
}

/** Begin, or begin again in another language. */
export function follow() {
  hangUp();
  hangUp = listen(
    `api/events?lang=${language()}`,
    {
      queue: (data) => publish("queue", data, data),
      epoch: publishEpoch,
      lab: (data) => publish("lab", data),
      model: (data) => publish("model", data),
    },
    (linked, why = "away") => publish("link", linked, { linked, why }),
  );
}

/** Pause training, or resume it; that it is will be heard as an event. */
export function setPaused(paused) {
  return post(`api/jobs/${paused ? "pause" : "resume"}`);
}

/** The task in progress, with the epochs that its run has done since. */
function withEpochs({ run: { curve, ...run }, ...task }) {
  const { running } = state;
  if (running?.id !== task.id) return running;
  const shown = running.run;
  const isSame = shown && ["question", "level", "seed"].every((place) => shown[place] === run[place]);
  if (!isSame) return { ...task, run: shown }; // of those that are trained at once, one is shown
  return { ...task, run: { ...run, curve: [...shown.curve.slice(0, run.epoch - curve.length), ...curve] } };
}

// Listeners draw. They hear of the latest epoch at most once a frame, and rest for as long as they
// drew: with each epoch drawn, a page would answer to nothing else.
function publishEpoch(data) {
  state = { ...state, running: withEpochs(data) };
  const isDue = latest !== null;
  latest = data;
  if (isDue) return;
  setTimeout(() => requestAnimationFrame(publishLatest), Math.min(MOST_REST, Math.max(REST, drawing)));
}

function publishLatest() {
  const start = performance.now();
  const data = latest;
  latest = null;
  publish("epoch", data);
  // Charts are drawn and laid out after this, but before the task that follows the frame.
  setTimeout(() => (drawing = performance.now() - start));
}

function publish(kind, data, change = {}) {
  state = { ...state, ...change };
  for (const heard of [...listeners]) heard(kind, data);
}
