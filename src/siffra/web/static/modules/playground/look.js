// Asking the networks, as fast as the hand moves: one question at a time, and then the newest.

import { post } from "../server.js";

/** Returns `look(question)`; `seen(answer, question)` hears every answer, `failed(error)` the rest. */
export function looker(seen, failed) {
  let waiting = null;
  let busy = false;

  async function look(question) {
    waiting = question;
    if (busy) return;
    busy = true;
    while (waiting) {
      const asked = waiting;
      waiting = null;
      try {
        seen(await post("api/predict", asked), asked);
      } catch (error) {
        failed(error);
      }
    }
    busy = false;
  }

  return look;
}
