// Runs side by side: the knobs in which they differ, and what that came to, each against the first.

import { curvesChart } from "../charts/curves.js";
import { fill, h, scroller } from "../dom.js";
import { to } from "../route.js";
import { get, refusalOf } from "../server.js";
import { capital, listing, measure, number, percent, t } from "../words.js";
import { confusion } from "./confusion.js";
import { metricCharts } from "./metricLines.js";
import { columnName, lineOf, pathOf, setsIn, valueText } from "./sets.js";
import { switchOf } from "./switch.js";

/** The most that are compared: so many lines can be told apart by their colours. */
export const MOST = 8;
const BESIDE = 3; // of so many there is room for the table beside the chart

/** The runs with these keys in `main`. Returns what ends it. */
export function compareView(main, keys) {
  const back = h("p", { class: "eyebrow" }, h("a", { href: to(["runs"]) }, t("ui.nav.runs")));
  let chart = null;
  fill(main, back);
  load().catch((error) => fill(main, back, refusalOf(error)));

  async function load() {
    const query = new URLSearchParams(keys.map((key) => ["run", key]));
    const comparison = await get(`api/compare?${query}`);
    const runs = comparison.runs.map((run, i) => ({ name: String.fromCharCode(65 + i), ...run }));
    const isProgram = runs.some((run) => run.program);
    chart = isProgram ? metricCharts(runs) : overlaid(runs);
    fill(main, back, h("h1", {}, heading(runs, comparison)), tables(runs, comparison, chart, isProgram));
    chart.draw();
  }

  return () => chart?.leave();
}

// "learning rate 0.02 and 1": by what they differ in, if that is little.
function heading(runs, { differing }) {
  const first = runs[0].program ? (name) => name : capital; // a program's own knob keeps its name
  const pairs = Object.entries(differing);
  if (!pairs.length) return t("ui.compare.seeds", { values: listing(runs.map(({ seed }) => String(seed))) });
  if (pairs.length > 2) return t("ui.compare.title");
  return pairs
    .map(([knob, values]) => `${pairs.length > 1 ? columnName(knob) : first(columnName(knob))} ${listing(values.map(valueText))}`)
    .join("; ");
}

/** The curves of all runs in one chart, one set at a time. */
function overlaid(runs) {
  const host = h("div", { class: "chart", role: "group", "aria-label": t("ui.run.curves") });
  const chart = curvesChart(host);
  const sets = setsIn(...runs.map(({ accuracy }) => accuracy));
  const show = (set = sets[0]) =>
    chart.update(runs.map((run, index) => lineOf(run.name, index, pathOf(run, set))));
  const head = h("div", { class: "row chart-head" }, h("h2", {}, t("ui.run.curves")), switchOf(sets, (set) => t(`set.${set}`), show));
  return { host: h("section", {}, head, host), draw: () => show(), leave: chart.leave };
}

function tables(runs, { differing, same_seed: sameSeed, differences }, chart, isProgram) {
  const [first, ...others] = runs;
  const column = (text) => h("th", { scope: "col", class: "number" }, text);
  const linked = ({ name, key }) => column(h("a", { href: to(["runs", key]) }, name));
  const head = (gaps) => h("thead", {}, h("tr", {}, h("td"), runs.map(linked), gaps.map(column)));
  const knobRows = [...Object.entries(differing), ["seed", runs.map(({ seed }) => seed)]].map(
    ([knob, values]) => [columnName(knob), ...values.map(valueText)],
  );
  // For each run its value, for each but the first how it differs.
  const row = (name, ofRun, ofGap) => [name, ...runs.map(ofRun), ...differences.map(ofGap)];
  const shown = (gap, text) => (gap === null || gap === undefined ? "–" : text(gap));
  const rows = [
    ...setsIn(...differences.map(({ accuracy }) => accuracy)).map((set) =>
      row(
        t(`set.${set}`),
        (run) => percent(run.accuracy[set] ?? null, 2),
        ({ accuracy }) => shown(accuracy[set], (gap) => signed(gap, number(100 * gap, 2))),
      ),
    ),
    ...[...new Set(differences.flatMap(({ metrics }) => Object.keys(metrics)))].map((name) =>
      row(
        name,
        (run) => measure(run.metrics[name] ?? null),
        ({ metrics }) => shown(metrics[name], (gap) => signed(gap, measure(gap))),
      ),
    ),
    row(
      t("figure.time"),
      (run) => `${number(run.seconds, 2)}\u00a0s`,
      ({ seconds_ratio: ratio }) => shown(ratio, () => `×\u00a0${number(ratio, 2)}`),
    ),
  ];
  const results = h(
    "section",
    {},
    h("h2", {}, t("ui.compare.results")),
    table(t("ui.compare.results"), head(others.map(({ name }) => `${name} − ${first.name}`)), rows),
  );
  const settings = h(
    "section",
    {},
    h("h2", {}, t("ui.compare.settings")),
    Object.keys(differing).length ? null : h("p", {}, t("ui.compare.no_difference")),
    table(t("ui.compare.settings"), head([]), knobRows),
  );
  return [
    h("p", { class: "soft" }, t(sameSeed ? "ui.compare.same_seed" : "ui.compare.other_seed"), " ", t("ui.compare.caution")),
    h("div", { class: runs.length > BESIDE ? "full-width" : "columns" }, h("div", {}, settings, results), !isProgram && chart.host),
    isProgram && chart.host,
    !isProgram && runs.every(({ diverged }) => !diverged) &&
      h(
        "section",
        { class: "full-width" },
        h("h2", {}, t("ui.run.confusion")),
        confusion(runs.map(({ name, confusion: bySet }) => ({ name, bySet }))),
      ),
  ];
}

function table(label, head, rows) {
  const row = ([name, ...cells]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      cells.map((cell) => h("td", { class: "number" }, cell)),
    );
  return scroller(label, h("table", {}, head, h("tbody", {}, rows.map(row))));
}

function signed(gap, text) {
  return `${gap > 0 ? "+" : ""}${text}`;
}
