// Two runs side by side: the knobs in which they differ, and what that came to.

import { curvesChart } from "../charts/curves.js";
import { fill, h } from "../dom.js";
import { to } from "../route.js";
import { get, refusalOf } from "../server.js";
import { capital, measure, number, percent, t } from "../words.js";
import { confusion } from "./confusion.js";
import { metricCharts } from "./metricLines.js";
import { columnName, lineOf, pathOf, setsIn, valueText } from "./sets.js";
import { switchOf } from "./switch.js";

/** The runs `a` and `b` in `main`. Returns what ends it. */
export function compareView(main, a, b) {
  const back = h("p", { class: "eyebrow" }, h("a", { href: to(["runs"]) }, t("ui.nav.runs")));
  let chart = null;
  fill(main, back);
  load().catch((error) => fill(main, back, refusalOf(error)));

  async function load() {
    const comparison = await get(`api/compare?${new URLSearchParams({ a, b })}`);
    const isProgram = comparison.a.program || comparison.b.program;
    const named = [{ name: "A", ...comparison.a }, { name: "B", ...comparison.b }];
    chart = isProgram ? metricCharts(named) : overlaid(comparison);
    fill(main, back, h("h1", {}, heading(comparison)), ...tables(comparison, chart, isProgram));
    chart.draw();
  }

  return () => chart?.leave();
}

// "learning rate 0.02 and 1": by what the two differ in, if that is little.
function heading({ a, b, differing }) {
  const first = a.program ? (name) => name : capital; // a program's own knob keeps its name
  const pairs = Object.entries(differing).map(([knob, values]) => [columnName(knob), ...values.map(valueText)]);
  if (!pairs.length) return t("ui.compare.seeds", { a: a.seed, b: b.seed });
  if (pairs.length > 2) return t("ui.compare.title");
  return pairs.map(([name, ofA, ofB]) => t("ui.compare.knob", { name: pairs.length > 1 ? name : first(name), a: ofA, b: ofB })).join("; ");
}

/** The curves of both runs in one chart, one set at a time. */
function overlaid({ a, b }) {
  const host = h("div", { class: "chart", role: "group", "aria-label": t("ui.run.curves") });
  const chart = curvesChart(host);
  const sets = setsIn(a.accuracy, b.accuracy);
  const show = (set = sets[0]) =>
    chart.update(
      [a, b].map((run, index) => {
        return lineOf(["A", "B"][index], index, pathOf(run, set));
      }),
    );
  const head = h("div", { class: "row chart-head" }, h("h2", {}, t("ui.run.curves")), switchOf(sets, (set) => t(`set.${set}`), show));
  return { host: h("section", {}, head, host), draw: () => show(), leave: chart.leave };
}

function tables({ a, b, differing, same_seed: sameSeed, difference }, chart, isProgram) {
  const head = (last) =>
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("td"),
        [
          ["A", a],
          ["B", b],
        ].map(([name, run]) =>
          h("th", { scope: "col", class: "number" }, h("a", { href: to(["runs", run.key]) }, name)),
        ),
        last && h("th", { scope: "col", class: "number" }, last),
      ),
    );
  const knobs = Object.entries(differing);
  const knobRows = [
    ...knobs.map(([knob, [ofA, ofB]]) => [
      columnName(knob),
      valueText(ofA),
      valueText(ofB),
    ]),
    [columnName("seed"), String(a.seed), String(b.seed)],
  ];
  const rows = setsIn(difference.accuracy).map((set) => [
    t(`set.${set}`),
    percent(a.accuracy[set], 2),
    percent(b.accuracy[set], 2),
    difference.accuracy[set] === null ? "–" : signed(100 * difference.accuracy[set]),
  ]);
  rows.push(
    ...Object.entries(difference.metrics).map(([name, gap]) => [
      name,
      measure(a.metrics[name]),
      measure(b.metrics[name]),
      gap === null ? "–" : `${gap > 0 ? "+" : ""}${measure(gap)}`,
    ]),
  );
  const ratio = difference.seconds_ratio;
  rows.push([
    t("figure.time"),
    `${number(a.seconds, 2)}\u00a0s`,
    `${number(b.seconds, 2)}\u00a0s`,
    ratio === null ? "–" : `×\u00a0${number(ratio, 2)}`,
  ]);
  return [
    h("p", { class: "soft" }, t(sameSeed ? "ui.compare.same_seed" : "ui.compare.other_seed"), " ", t("ui.compare.caution")),
    h(
      "div",
      { class: "columns" },
      h(
        "div",
        {},
        h(
          "section",
          {},
          h("h2", {}, t("ui.compare.settings")),
          knobs.length ? null : h("p", {}, t("ui.compare.no_difference")),
          table(head(), knobRows),
        ),
        h("section", {}, h("h2", {}, t("ui.compare.results")), table(head("A − B"), rows)),
      ),
      !isProgram && chart.host,
    ),
    isProgram && chart.host,
    !isProgram && !a.diverged && !b.diverged &&
      h(
        "section",
        { class: "confusing" },
        h("h2", {}, t("ui.run.confusion")),
        confusion([{ name: "A", bySet: a.confusion }, { name: "B", bySet: b.confusion }]),
      ),
  ];
}

function table(head, rows) {
  const row = ([name, ...cells]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      cells.map((cell) => h("td", { class: "number" }, cell)),
    );
  return h("div", { class: "scroll" }, h("table", {}, head, h("tbody", {}, rows.map(row))));
}

function signed(points) {
  return `${points > 0 ? "+" : ""}${number(points, 2)}`;
}
