// Asking the networks, as fast as the hand moves: one question at a time, and then the newest.

import { post } from "../server.js";

/**
 * Returns `look(question)`; `seen(answer, question)` hears every answer, `failed(error)` the rest.
 * After `look.stop()` no answer to what was asked before is heard.
 */
export function looker(seen, failed) {
  let waiting = null;
  let busy = false;
  let heard = true;

  async function look(question) {
    waiting = question;
    heard = true;
    if (busy) return;
    busy = true;
    while (waiting) {
      const asked = waiting;
      waiting = null;
      try {
        const answer = await post("api/predict", asked);
        if (heard) seen(answer, asked);
      } catch (error) {
        failed(error);
      }
    }
    busy = false;
  }

  look.stop = () => {
    waiting = null;
    heard = false;
  };
  return look;
}
