// How far a lab has come, and what can be done about it: pause, resume, cancel, start.

import { jobs, setPaused } from "../jobs.js";
import { fill, h, say } from "../dom.js";
import { post, single, tellRefusal } from "../server.js";
import { count, span, t } from "../words.js";
import { stateBadge } from "./badges.js";

/** The status of lab `id` in `host`; `update(lab)` whenever there is news of the lab or the queue. */
export function status(host, id) {
  const badgeHost = h("span");
  const line = h("span", { class: "soft" });
  const bar = h("progress", { max: 1, value: 0, "aria-label": t("ui.status.progress") });
  const failure = h("p", { class: "refusal", role: "alert" }); // what ended the training
  const refusal = h("p", { class: "refusal", role: "alert" }); // what a button could not do
  const aloud = h("span", { class: "unseen", role: "status" });
  const actions = Object.fromEntries(
    Object.entries({
      pause: () => setPaused(true),
      resume: () => setPaused(false),
      cancel: () => post(`api/labs/${id}/cancel`),
      start: () => post(`api/labs/${id}/start`),
    }).map(([name, act]) => [name, action(name, act)]),
  );
  fill(
    host,
    h("div", { class: "row" }, badgeHost, line, Object.values(actions)),
    bar,
    failure,
    refusal,
    aloud,
  );

  function action(name, act) {
    const press = single(async () => {
      refusal.textContent = "";
      await act().catch((error) => tellRefusal(refusal, error));
    });
    return h(
      "button",
      { type: "button", class: "small", "data-action": name, hidden: true, onclick: press },
      t(`ui.status.${name}`),
    );
  }

  function update(lab) {
    const { paused, queue, running } = jobs();
    const working = running?.kind === "lab" && running.id === id ? running : null;
    const waiting = queue.some((item) => item.kind === "lab" && item.id === id);
    const state = now(lab.state, { working, waiting, paused });
    const done = working?.total ? working.done : lab.have;
    const total = working?.total || lab.runs;
    const parts = [t("ui.status.runs", { done, total })];
    if (working?.claims) parts.push(t("ui.status.decided", working));
    if (state === "running" && working) parts.push(...inProgress(lab, working));
    if (state === "queued") parts.push(ahead(queue, id));
    fill(badgeHost, stateBadge(state));
    bar.value = total ? (done + shareOfRun(working)) / total : 0;
    bar.hidden = state === "done";
    const over = ["stopped", "failed"].includes(state);
    if (over && lab.can_start === false) parts.push(t("ui.error.not_started_here"));
    say(line, parts.join(" · "));
    show(actions.pause, state === "running");
    show(actions.resume, state === "paused");
    show(actions.cancel, waiting);
    show(actions.start, over && lab.can_start !== false);
    say(failure, over && lab.error ? t(`ui.error.${lab.error}`) : "");
    // While it trains the numbers change all the time: only that it trains is said.
    const news = state === "running" ? "" : ` ${parts[0]}.`;
    say(aloud, `${t(`ui.state.${state}`)}.${news}`);
  }

  return update;
}

/** The run of the moment, and how long the rest is predicted to take. */
function inProgress(lab, { run, total, seconds_left: least, seconds_most: most }) {
  const question = lab.questions.find(({ id }) => id === run?.question);
  const level = question?.levels[run.level]?.name;
  return [
    level && t("ui.status.run", { level, seed: run.seed, epoch: run.epoch, epochs: run.epochs }),
    total && least !== null && t("ui.status.left", { time: span(least, most) }),
  ].filter(Boolean);
}

function now(state, { working, waiting, paused }) {
  if (!waiting) return state;
  if (paused) return "paused";
  return working ? "running" : "queued";
}

/** Hide or show a button; who stood on one that goes away is put on the next that stays. */
function show(button, shown) {
  const focused = document.activeElement === button;
  button.hidden = !shown;
  if (focused && !shown) button.parentElement.querySelector("button:not([hidden])")?.focus();
}

function shareOfRun(working) {
  const run = working?.run;
  return run ? Math.min(1, run.curve.length / run.epochs) : 0;
}

function ahead(queue, id) {
  return count(
    "ui.status.ahead",
    queue.findIndex((item) => item.id === id),
  );
}
