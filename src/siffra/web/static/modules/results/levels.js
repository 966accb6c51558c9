// A question's levels in a table: every seed's run on one scale, and the numbers beside it.

import { scaleOf, strip } from "../charts/strip.js";
import { levelStyle } from "../colours.js";
import { h } from "../dom.js";
import { capital, has, number, percent, t } from "../words.js";
import { testSetsIn } from "./sets.js";

/** The table of `question`, with runs drawn as they did on the set `on`. */
export function levelsTable(question, on) {
  const seen = question.levels.filter((level) => isScored(level, on));
  const scale = seen.length ? scaleOf(seen.map((level) => plain(level.accuracy[on]))) : null;
  const told = testSetsIn(...question.levels.map((level) => level.accuracy));
  const collapse = question.levels.some((level) => level.collapsed);
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, varied(question)),
    h("th", { scope: "col", class: "drawn" }, t("ui.levels.runs", { set: t(`set.${on}`) })),
    told.map((set) => h("th", { scope: "col", class: "number" }, `${t(`set.${set}`)} %`)),
    h("th", { scope: "col", class: "number" }, t("table.run_seconds")),
    collapse && h("th", { scope: "col", class: "number" }, capital(t("table.collapsed"))),
    h("th", { scope: "col", class: "number" }, "n"),
  );
  const rows = question.levels.map((level, index) =>
    levelRow(level, index, on, told, scale, collapse),
  );
  return h(
    "div",
    { class: "scroll" },
    h("table", { class: "levels-table" }, h("thead", {}, head), h("tbody", {}, rows)),
  );
}

// Runs that diverged have no accuracy: a level of which all did has none to show.
function isScored(level, on) {
  return level.n > 0 && level.accuracy[on].values.length > 0;
}

function levelRow(level, index, on, told, scale, collapse) {
  const drawn = isScored(level, on)
    ? strip(plain(level.accuracy[on]), scale, levelStyle(index).colour, level.accuracy[on].text)
    : "";
  const marks = [
    level.best && level.n > 0 && h("span", { class: "mark" }, ` ${t("ui.levels.best")}`),
    level.diverged > 0 &&
      h("span", { class: "mark" }, ` ${t("table.diverged", { down: level.diverged, n: level.n })}`),
    level.busy > 0 &&
      h("span", { class: "mark" }, ` ${t("table.busy", { down: level.busy, n: level.n })}`),
  ];
  return h(
    "tr",
    { class: level.best && level.n ? "best" : null },
    h("th", { scope: "row" }, capital(level.name), marks),
    h("td", { class: "drawn" }, drawn),
    told.map((set) => h("td", { class: "number" }, level.accuracy[set].text)),
    h("td", { class: "number" }, level.seconds.text),
    collapse && collapsedCell(level),
    h("td", { class: "number" }, String(level.n)),
  );
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
  const scored = question.levels.filter((level) => isScored(level, on));
  const means = scored.map((level) => level.accuracy[on].mean);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const at = new Map(
    question.levels.map((level) => [`${level.knobs[down]}|${level.knobs[across]}`, level]),
  );
  const cell = (row, column) => {
    const level = at.get(`${row}|${column}`);
    if (!level || !isScored(level, on)) return h("td", { class: "number" }, "–");
    const share = high > low ? (level.accuracy[on].mean - low) / (high - low) : 0.5;
    return h(
      "td",
      { class: `number${level.best ? " best" : ""}`, vars: { "--share": share } },
      level.accuracy[on].text,
    );
  };
  return h(
    "div",
    { class: "scroll" },
    h(
      "table",
      { class: "crossing" },
      h("caption", { class: "unseen" }, t("ui.levels.crossing", { set: t(`set.${on}`) })),
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
