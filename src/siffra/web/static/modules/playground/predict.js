// Predictions as fast as the pointer moves: one request at a time, and then the newest.

import { oneAtATime, post } from "../server.js";

/**
 * Returns `predict(request)`; `predicted(answer)` gets every answer, `failed(error)` the
 * errors. After `predict.stop()` no answer to an earlier request arrives.
 */
export function predictor(predicted, failed) {
  let wanted = null;
  let stops = 0;
  const next = oneAtATime(async () => {
    const [request, before] = [wanted, stops];
    if (!request) return;
    const isStopped = () => stops !== before;
    try {
      const answer = await post("api/predict", request);
      if (!isStopped()) predicted(answer);
    } catch (error) {
      if (!isStopped()) failed(error);
    }
  });

  function predict(request) {
    wanted = request;
    next();
  }

  predict.stop = () => {
    wanted = null;
    stops += 1;
  };
  return predict;
}
