// What siffra is at work on, as the server tells it: the queue, the run of the moment, its epochs.

import { listen, post } from "./server.js";
import { language } from "./words.js";

const listeners = new Set();
let hangUp = () => {};
let state = { linked: true, why: "", paused: false, queue: [], running: null };

/** The bench as it was last told: `{ linked, why, paused, queue, running }`. */
export function bench() {
  return state;
}

/**
 * Hear of changes: `heard(kind, data)`, of kind `bench` (all of it), `epoch`, `lab`, `model`, or
 * `link`: the line is lost, or there (again). Returns what ends it.
 */
export function onBench(heard) {
  listeners.add(heard);
  return () => listeners.delete(heard);
}

/** Begin, or begin again in another language. */
export function follow() {
  hangUp();
  hangUp = listen(
    `api/events?lang=${language()}`,
    {
      bench: (data) => tell("bench", data, data),
      epoch: (data) => tell("epoch", data, { running: withEpoch(data) }),
      lab: (data) => tell("lab", data),
      model: (data) => tell("model", data),
    },
    (linked, why = "away") => tell("link", linked, { linked, why }),
  );
}

/** Hold training, or let it go on. */
export async function setPaused(paused) {
  const data = await post(`api/bench/${paused ? "pause" : "resume"}`);
  tell("bench", data, data);
}

/** The run of the moment with one more epoch behind it. */
function withEpoch(data) {
  const { running } = state;
  if (running?.id !== data.id) return running;
  const { done, total, seconds_left } = data;
  const { run } = running;
  if (!run || run.seed !== data.seed || run.level !== data.level)
    return { ...running, done, total, seconds_left };
  const curve = [
    ...run.curve.slice(0, data.epoch - 1),
    { loss: data.loss, accuracy: data.accuracy },
  ];
  return { ...running, done, total, seconds_left, run: { ...run, epoch: data.epoch, curve } };
}

function tell(kind, data, change = {}) {
  state = { ...state, ...change };
  for (const heard of [...listeners]) heard(kind, data);
}
