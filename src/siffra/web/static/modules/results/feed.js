// A lab kept up to date: fetched once, and again when the server says that it has changed.

import { onJobs } from "../jobs.js";
import { Refused, get, latest, oneAtATime } from "../server.js";
import { language } from "../words.js";

/**
 * Follow the lab `id`: `heard(lab)` with each new state of it, `live()` with each epoch of its run
 * and whenever the queue changes, `failed(error)` when it cannot be read. Returns what ends it.
 */
export function followLab(id, { heard, live, failed }) {
  const newest = latest();
  const load = oneAtATime(
    async () => {
      try {
        await heard(await newest(get(`api/labs/${id}?lang=${language()}`)));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        failed(error);
      }
    },
    { rests: true }, // small networks end several runs a second
  );

  const stop = onJobs((kind, data) => {
    if (kind === "lab" && data.id === id) load();
    else if (kind === "link" && data)
      load(); // who knows what happened meanwhile
    else if (kind === "queue" || (kind === "epoch" && data.id === id)) live();
  });
  load();
  return () => {
    newest.drop();
    stop();
  };
}

/** The curves of one question of a lab. */
export function curvesOf(lab, question) {
  const query = new URLSearchParams({ question: question.id, lang: language() });
  return get(`api/labs/${lab.id}/curves?${query}`);
}
