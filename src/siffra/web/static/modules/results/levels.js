// A question's levels in a table: every seed's run on one scale, and the numbers beside it.

import { scaleOf, strip } from "../charts/strip.js";
import { levelStyle } from "../colours.js";
import { h, scroller } from "../dom.js";
import { capital, has, number, percent, t } from "../words.js";
import { alongKnob } from "./knob.js";
import { measureName, measured, measuresOf, testSetsIn } from "./sets.js";

/** The table of `question`; where no chart has them, runs are drawn as they did on the set, or in the metric, `on`. */
export function levelsTable(question, on) {
  const hasMetrics = question.metrics.length > 0;
  const seen = question.levels.filter((level) => isScored(question, level, on));
  const drawn = !alongKnob(question, on);
  const scale = seen.length ? scaleOf(seen.map((level) => plain(measured(question, level, on)))) : null;
  const measures = hasMetrics
    ? measuresOf(question)
    : testSetsIn(...question.levels.map((level) => level.accuracy));
  // Of runs that others made it is seldom known how long they took.
  const timed = !hasMetrics || question.levels.some((level) => level.seconds.values.some(Boolean));
  const collapse = question.levels.some((level) => level.collapsed);
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, varied(question)),
    drawn && h("th", { scope: "col", class: "drawn" }, t("ui.levels.runs", { set: measureName(question, on) })),
    measures.map((name) =>
      h("th", { scope: "col", class: "number" }, hasMetrics ? name : `${t(`set.${name}`)} %`),
    ),
    timed && h("th", { scope: "col", class: "number" }, t("table.run_seconds")),
    collapse &&
      h("th", { scope: "col", class: "number" }, capital(t(hasMetrics ? "table.failed" : "table.collapsed"))),
    h("th", { scope: "col", class: "number" }, "n"),
  );
  const rows = question.levels.map((_, index) =>
    levelRow(question, index, on, { measures, drawn, scale, timed, collapse }),
  );
  return scroller(t("head.numbers"), h("table", { class: "levels-table" }, h("thead", {}, head), h("tbody", {}, rows)));
}

// Runs that diverged have no accuracy: a level of which all did has none to show.
function isScored(question, level, on) {
  return level.n > 0 && measured(question, level, on)?.values.length > 0;
}

function levelRow(question, index, on, { measures, drawn, scale, timed, collapse }) {
  const level = question.levels[index];
  const shown = measured(question, level, on);
  const drawing = isScored(question, level, on)
    ? strip(plain(shown), scale, levelStyle(index).colour, shown.text)
    : "";
  const marks = [
    level.best && level.n > 0 && h("span", { class: "mark" }, ` ${t("ui.levels.best")}`),
    level.diverged > 0 &&
      h("span", { class: "mark" }, ` ${t("table.diverged", { down: level.diverged, n: level.n })}`),
  ];
  return h(
    "tr",
    { class: level.best && level.n ? "best" : null },
    h("th", { scope: "row" }, levelName(question, level), marks),
    drawn && h("td", { class: "drawn" }, drawing),
    measures.map((name) => h("td", { class: "number" }, measured(question, level, name)?.text ?? "–")),
    timed && timeCell(level),
    collapse && collapsedCell(level),
    h("td", { class: "number" }, String(level.n)),
  );
}

/** Training time, marked where it was taken on a busy machine. */
function timeCell({ seconds, busy, n }) {
  const mark = busy > 0 && h("span", { title: t("table.busy", { down: busy, n }) }, " ⚠");
  return h("td", { class: "number" }, seconds.text, mark);
}

/** How many runs collapsed; on hover the share that this is compatible with. */
function collapsedCell({ collapsed, collapse, n }) {
  const share = collapse && `${number(100 * collapse.low)}–${percent(collapse.high, 0)}`;
  return h("td", { class: "number", title: share }, n ? t("table.of", { down: collapsed, n }) : "–");
}

/** Two knobs: one down, one across, and the mean on the set `on` where they meet. */
export function crossing(question, on) {
  const [down, across] = question.vary;
  const values = (knob) => [...new Set(question.levels.map((level) => String(level.knobs[knob])))];
  const scored = question.levels.filter((level) => isScored(question, level, on));
  const means = scored.map((level) => measured(question, level, on).mean);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const isLowerBetter = question.metrics.find(({ name }) => name === on)?.better === "lower";
  const at = new Map(
    question.levels.map((level) => [`${level.knobs[down]}|${level.knobs[across]}`, level]),
  );
  const cell = (row, column) => {
    const level = at.get(`${row}|${column}`);
    if (!level || !isScored(question, level, on)) return h("td", { class: "number" }, "–");
    const above = high > low ? (measured(question, level, on).mean - low) / (high - low) : 0.5;
    const share = isLowerBetter ? 1 - above : above;
    return h(
      "td",
      { class: `number${level.best ? " best" : ""}`, vars: { "--share": share } },
      measured(question, level, on).text,
    );
  };
  const name = t("ui.levels.crossing", { set: measureName(question, on) });
  return scroller(
    name,
    h(
      "table",
      { class: "crossing" },
      h("caption", { class: "unseen" }, name),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, `${knobName(down)} ↓  ${knobName(across)} →`),
          values(across).map((v) => h("th", { scope: "col", class: "number" }, v)),
        ),
      ),
      h(
        "tbody",
        {},
        values(down).map((row) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, row),
            values(across).map((column) => cell(row, column)),
          ),
        ),
      ),
    ),
  );
}

/** What a level is called; the values of a program's own knobs are written as they are. */
export function levelName(question, level) {
  return question.metrics.length ? level.name : capital(level.name);
}

/** The name of a knob; one that the catalogue lacks keeps its own. */
export function knobName(knob) {
  return has(`knob.${knob}`) ? t(`knob.${knob}`) : knob;
}

function varied(question) {
  return question.vary.length === 1 ? knobName(question.vary[0]) : t("figure.level");
}

function plain({ mean, interval, values }) {
  return { mean, low: interval[0] ?? NaN, high: interval[1] ?? NaN, values };
}
