// One question of a lab: its answer, curves, levels and verdicts, live while it is being trained.

import { jobs } from "../jobs.js";
import { curvesChart } from "../charts/curves.js";
import { lineSample } from "../charts/sample.js";
import { fill, h, refill, say } from "../dom.js";
import { capital, count, t } from "../words.js";
import { badge, verdictCode } from "./badges.js";
import { crossing, levelsTable } from "./levels.js";
import { metricLines } from "./metricLines.js";
import { measureName, measuresOf } from "./sets.js";

/**
 * The question in `host`. `update(lab, question, curves)` draws what is known; `live()` adds the
 * run of the moment. Without `curves` none are drawn. `on` is the set that is shown first, if the
 * question has it (else the main one), and `chosen(set)` hears when another is; a metric is chosen in the same way.
 */
export function questionView(host, { on = "", chosen = () => {} } = {}) {
  let known = null;
  const hidden = new Set();
  const answer = h("div");
  const switches = h("div", {
    class: "choices",
    role: "group",
    "aria-label": t("ui.question.set"),
  });
  const chartHost = h("div", { class: "chart", role: "img" });
  const legend = h("ul", { class: "legend" });
  const numbers = h("div");
  const claims = h("div");
  const chart = curvesChart(chartHost);
  const chartTitle = h("h3");
  const chartHead = h("div", { class: "row chart-head" }, chartTitle);
  const numbersHead = h("div", { class: "row chart-head" }, h("h3", {}, t("head.numbers")));
  const curvesPart = h("section", {}, chartHead, chartHost, legend);
  fill(host, answer, curvesPart, h("section", {}, numbersHead, numbers), claims);

  function update(lab, question, curves) {
    known = { lab, question, curves };
    draw();
  }

  function draw() {
    const { lab, question } = known;
    refill(answer, [question.answer, lab.provisional], () => answerText(lab, question));
    const measures = measuresOf(question);
    if (measures.length ? !measures.includes(on) : !on) on = question.metrics.length ? measures[0] : "test";
    const drawn = isDrawn();
    curvesPart.hidden = !drawn;
    const head = drawn ? chartHead : numbersHead;
    if (switches.parentElement !== head) head.append(switches); // or it would lose its focus
    switches.hidden = measures.length < 2;
    refill(switches, [on, measures], () => measures.map(setSwitch));
    refill(numbers, [question.levels, on], () => [
      question.vary.length === 2 ? crossing(question, on) : null,
      levelsTable(question, on),
      h(
        "p",
        { class: "soft fixed" },
        h("strong", {}, `${t("claim.fixed")}: `),
        question.fixed_text,
      ),
    ]);
    refill(claims, [question.claims, lab.provisional], () => claimsList(lab, question));
    live();
  }

  function setSwitch(name) {
    const choose = () => {
      on = name;
      chosen(on);
      draw();
      switches.querySelector("[aria-pressed=true]").focus();
    };
    return h(
      "button",
      { type: "button", "aria-pressed": String(name === on), onclick: choose },
      measureName(known.question, name),
    );
  }

  // A program need not have told how its metrics came about.
  function isDrawn() {
    const { question, curves } = known;
    return curves && (!question.metrics.length || curves.metrics.includes(on));
  }

  /** The curves, with the run of the moment as far as it has come. */
  function live() {
    if (!known || !isDrawn()) return;
    const { lab, question, curves } = known;
    say(chartTitle, question.metrics.length ? t("ui.question.metric_curves") : t("ui.question.curves"));
    if (question.metrics.length) {
      const { epochs, lines } = metricLines(curves, on);
      const levels = lines.map((line, index) => ({ ...line, index, shown: !hidden.has(index) }));
      chart.update(levels, 1, { epochs, label: on });
      finish(levels);
      return;
    }
    const working = jobs().running;
    const run = working?.id === lab.id ? working.run : null;
    const levels = curves.levels.map((level, index) => {
      const band = level.band[on] ?? { mean: [], low: [], high: [] };
      const runs = level.runs.map((each) => ({ values: each.accuracy[on] ?? [], done: true }));
      const mine =
        run?.question === question.id &&
        run.level === index &&
        !level.runs.some((each) => each.seed === run.seed);
      if (mine)
        runs.push({ values: run.curve.map((epoch) => epoch.accuracy[on] ?? null), done: false });
      return { name: level.name, index, shown: !hidden.has(index), ...band, runs };
    });
    chart.update(
      levels,
      Math.max(...question.levels.map((level) => level.knobs.epochs ?? question.fixed.epochs ?? 1)),
    );
    finish(levels);
  }

  function finish(levels) {
    refill(legend, [levels.map((level) => [level.name, level.shown])], () =>
      levels.map(legendEntry),
    );
    const { question } = known;
    const key = question.metrics.length ? "ui.question.metric_chart" : "ui.question.chart";
    chartHost.setAttribute("aria-label", t(key, { set: measureName(question, on) }));
  }

  function legendEntry({ name, index, shown }) {
    const toggle = () => {
      if (!hidden.delete(index)) hidden.add(index);
      live();
      legend.children[index].firstElementChild.focus();
    };
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", "aria-pressed": String(shown), onclick: toggle },
        lineSample(index),
        name,
      ),
    );
  }

  return { update, live, leave: () => chart.leave() };
}

function answerText(lab, question) {
  const note =
    lab.provisional &&
    h("span", { class: "badge plain provisional" }, t("ui.question.provisional"));
  const missing =
    lab.provisional &&
    h("p", { class: "soft" }, note, " ", count("head.incomplete", lab.runs - lab.have));
  return [
    h("p", { class: `answer${lab.provisional ? " provisional" : ""}` }, question.answer),
    missing,
  ];
}

function claimsList(lab, question) {
  if (!question.claims.length) return null;
  const item = (claim) => {
    const code = verdictCode(lab, claim);
    const early = code === "not-yet";
    const name = early ? t("ui.jobs.not_yet") : claim.verdict_text;
    return h(
      "li",
      {},
      h("div", {}, badge(code, name, { provisional: lab.provisional })),
      h(
        "div",
        {},
        !lab.ad_hoc && claim.say && h("p", {}, h("strong", {}, claim.say)),
        h(
          "p",
          {},
          claim.named ? claim.compared : capital(claim.compared), // a metric keeps its own name
          !early && claim.evidence && `: ${claim.evidence}`,
          ".",
        ),
        claim.margin_text && h("p", { class: "soft" }, claim.margin_text),
        claim.reported && h("p", { class: "soft" }, `${t("claim.reported")}: ${claim.reported}`),
      ),
    );
  };
  return h(
    "section",
    {},
    h("h3", {}, t("ui.question.verdicts")),
    h("ol", { class: "claims" }, question.claims.map(item)),
  );
}
