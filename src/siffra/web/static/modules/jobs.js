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

/** Pause training, or resume it. */
export async function setPaused(paused) {
  const data = await post(`api/jobs/${paused ? "pause" : "resume"}`);
  publish("queue", data, data);
}

/** The run in progress with one more epoch. */
function withEpoch(data) {
  const { running } = state;
  if (running?.id !== data.id) return running;
  const { done, total, seconds_left, seconds_most, decided, claims } = data;
  const { run } = running;
  const progress = { done, total, seconds_left, seconds_most, decided, claims };
  const isSame = ["question", "level", "seed"].every((place) => run?.[place] === data[place]);
  if (!run || !isSame) return { ...running, ...progress };
  const curve = [
    ...run.curve.slice(0, data.epoch - 1),
    { loss: data.loss, accuracy: data.accuracy },
  ];
  return { ...running, ...progress, run: { ...run, epoch: data.epoch, curve } };
}

// Listeners draw. They hear of the latest epoch at most once a frame, and rest for as long as they
// drew: with each epoch drawn, a page would answer to nothing else.
function publishEpoch(data) {
  state = { ...state, running: withEpoch(data) };
  const isDue = latest !== null;
  latest = data;
  if (isDue) return;
  setTimeout(() => requestAnimationFrame(publishLatest), Math.min(MOST_REST, Math.max(REST, drawing)));
}

function publishLatest() {
  const start = performance.now();
  publish("epoch", latest);
  latest = null;
  // Charts are drawn and laid out after this, but before the task that follows the frame.
  setTimeout(() => (drawing = performance.now() - start));
}

function publish(kind, data, change = {}) {
  state = { ...state, ...change };
  for (const heard of [...listeners]) heard(kind, data);
}
