// Predictions as fast as the pointer moves: one request at a time, and then the newest.

import { post } from "../server.js";

/**
 * Returns `predict(request)`; `predicted(answer, request)` gets every answer, `failed(error)` the
 * errors. After `predict.stop()` no answer to an earlier request arrives.
 */
export function predictor(predicted, failed) {
  let waiting = null;
  let busy = false;
  let heard = true;

  async function predict(request) {
    waiting = request;
    heard = true;
    if (busy) return;
    busy = true;
    while (waiting) {
      const current = waiting;
      waiting = null;
      try {
        const answer = await post("api/predict", current);
        if (heard) predicted(answer, current);
      } catch (error) {
        failed(error);
      }
    }
    busy = false;
  }

  predict.stop = () => {
    waiting = null;
    heard = false;
  };
  return predict;
}
