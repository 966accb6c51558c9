// One question of a lab: its data, charts and levels, live while it is being trained.

import { jobs } from "../jobs.js";
import { curvesChart } from "../charts/curves.js";
import { knobChart } from "../charts/knob.js";
import { fill, h, refill, say } from "../dom.js";
import { capital, t } from "../words.js";
import { isComing } from "./badges.js";
import { answerCard } from "./card.js";
import { alongKnob } from "./knob.js";
import { crossing, knobName, levelsTable } from "./levels.js";
import { metricLines } from "./metricLines.js";
import { measureName, measuresOf } from "./sets.js";
import { switchOf } from "./switch.js";

/**
 * The question in `host`. `update(lab, question, curves)` draws what is known; `live()` adds the
 * run of the moment. Without `curves` none are drawn. `on` is the set that is shown first, if the
 * question has it (else the main one), and `chosen(set)` hears when another is; a metric is chosen in the same way.
 */
export function questionView(host, { on = "", chosen = () => {} } = {}) {
  let known = null;
  const card = h("div");
  const switches = h("div");
  const curvesHost = h("div", { class: "chart", role: "group" });
  const knobHost = h("div", { class: "chart", role: "img" });
  const curves = curvesChart(curvesHost);
  const knob = knobChart(knobHost);
  const waiting = h("div", { class: "skeleton", "aria-hidden": "true" });
  const curvesTitle = h("h4");
  const knobTitle = h("h4");
  const note = h("p", { class: "soft" });
  // Until there is a question, what waits for it is all there is: no heading, and no chart without a name.
  const head = h("div", { class: "row chart-head", hidden: true }, h("h3", {}, t("head.numbers")), switches);
  const curvesPart = h("figure", { hidden: true }, curvesTitle, curvesHost, note);
  const knobPart = h("figure", { hidden: true }, knobTitle, knobHost);
  const numbers = h("div");
  const results = h(
    "section",
    {},
    head,
    waiting,
    h("div", { class: "charts" }, curvesPart, knobPart),
    numbers,
  );
  fill(host, card, results);

  function update(lab, question, data) {
    known = { lab, question, curves: data };
    draw();
  }

  function draw() {
    const { lab, question } = known;
    head.hidden = false;
    refill(card, [question.claims, question.answer, lab.provisional, lab.have, isComing(lab), question.levels.map(({ n }) => n)], () =>
      answerCard(lab, question),
    );
    const measures = measuresOf(question);
    if (measures.length ? !measures.includes(on) : !on) on = question.metrics.length ? measures[0] : "test";
    switches.hidden = measures.length < 2;
    refill(switches, measures, () => switchOf(measures, (name) => measureName(question, name), choose, on));
    refill(numbers, [question.levels, on, lab.have > 0], () => lab.have > 0 && [
      question.vary.length === 2 ? crossing(question, on) : null,
      levelsTable(question, on),
      h(
        "p",
        { class: "soft fixed" },
        h("strong", {}, `${t("claim.fixed")}: `),
        question.fixed_text,
      ),
      lab.ad_hoc && lab.busy_text && h("p", { class: "soft" }, lab.busy_text),
    ]);
    live();
  }

  function choose(name) {
    on = name;
    chosen(on);
    draw();
  }

  // A program need not have told how its metrics came about; and one epoch has no course.
  function isDrawn() {
    const { question, curves: data } = known;
    if (!data) return false;
    return question.metrics.length ? data.metrics.includes(on) : epochsOf(question) > 1;
  }

  /** The charts, with the run of the moment as far as it has come. */
  function live() {
    if (!known) return;
    const { lab, question } = known;
    const working = jobs().running;
    const run = working?.run?.question === question.id && working.id === lab.id ? working.run : null;
    const started = lab.have > 0 || run?.curve.length > 0;
    waiting.hidden = started || !known.curves || !isComing(lab);
    curvesPart.hidden = !started || !isDrawn();
    const points = lab.have > 0 && alongKnob(question, on);
    knobPart.hidden = !points || !points.some(({ values }) => values.length);
    if (!curvesPart.hidden) drawCurves(run);
    if (!knobPart.hidden) drawKnob(points);
    for (const seeds of card.querySelectorAll(".seeds")) {
      const next = seeds.querySelector("i:not(.in)");
      next?.classList.toggle("now", run !== null && seeds.dataset.levels.split(" ").includes(String(run.level)));
    }
  }

  function drawCurves(run) {
    const { question, curves: data } = known;
    const hasMetrics = question.metrics.length > 0;
    say(curvesTitle, hasMetrics ? t("ui.question.metric_curves") : t("ui.question.curves"));
    say(note, hasMetrics || !data.note ? "" : data.note);
    curvesHost.setAttribute(
      "aria-label",
      t(hasMetrics ? "ui.question.metric_chart" : "ui.question.chart", { set: measureName(question, on) }),
    );
    if (hasMetrics) {
      const { epochs, lines } = metricLines(data, on);
      curves.update(lines.map((line, index) => ({ ...line, index })), 1, { epochs, label: on });
      return;
    }
    const levels = data.levels.map((level, index) => {
      const band = level.band[on] ?? { mean: [], low: [], high: [] };
      const isMine = run?.level === index && !level.seeds.includes(run.seed);
      const now = isMine ? run.curve.map((epoch) => epoch.accuracy[on] ?? null) : undefined;
      return { name: level.name, index, ...band, ends: level.ends[on] ?? [], now };
    });
    curves.update(levels, epochsOf(question));
  }

  function drawKnob(points) {
    const { question } = known;
    const [name] = question.vary;
    const hasMetrics = question.metrics.length > 0;
    const set = measureName(question, on);
    const label = hasMetrics ? knobName(name) : capital(knobName(name));
    say(knobTitle, t("ui.question.knob", { knob: knobName(name) }));
    knobHost.setAttribute("aria-label", t("ui.question.knob_chart", { set, knob: knobName(name) }));
    knob.update(points, { knob: label, metric: hasMetrics ? on : null });
  }

  function leave() {
    curves.leave();
    knob.leave();
  }

  return { update, live, leave };
}

function epochsOf(question) {
  return Math.max(...question.levels.map((level) => level.knobs.epochs ?? question.fixed.epochs ?? 1));
}
