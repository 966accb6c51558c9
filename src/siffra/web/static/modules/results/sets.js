// The sets that runs are scored on, which depend on the data set, and the names of a run's columns.

import { exact, has, keysIn, t } from "../words.js";

const LAST = ["val", "train"];

/** Those for which there is something in any of these, by set. */
export function setsIn(...bySet) {
  const sets = [...keysIn("set").filter((set) => !LAST.includes(set)), ...LAST];
  return sets.filter((set) => bySet.some((each) => each && set in each));
}

/** The same without training and validation. */
export function testSetsIn(...bySet) {
  return setsIn(...bySet).filter((set) => !LAST.includes(set));
}

/** The label of a column of the table of runs: a knob, a set, or another figure. */
export function columnName(name) {
  for (const key of [`knob.${name}`, `ui.column.${name}`]) if (has(key)) return t(key);
  return has(`set.${name}`) ? `${t(`set.${name}`)} %` : name;
}

/** The value of a knob in a text: of several layers, with commas. */
export function valueText(value) {
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value === "number") return exact(value);
  return has(`value.${value}`) ? t(`value.${value}`) : String(value ?? "–");
}

/** The accuracy of `run` on a set after each epoch; the last is on all images, as in tables. */
export function pathOf(run, set) {
  const path = run.epochs.map((epoch) => epoch.accuracy[set] ?? null);
  return path.length ? [...path.slice(0, -1), run.accuracy[set] ?? null] : path;
}

/** One run's line for a chart of curves: its `values` after each epoch. */
export function lineOf(name, index, values) {
  const last = values.findLastIndex((value) => value !== null);
  return { name, index, mean: values, low: [], high: [], ends: last < 0 ? [] : [[last + 1, values[last]]] };
}

/** What the levels of `question` are measured by: its own metrics, or accuracy on the sets. */
export function measuresOf(question) {
  if (question.metrics.length) return question.metrics.map(({ name }) => name);
  return setsIn(...question.levels.map((level) => level.accuracy));
}

/** What `level` of `question` measured by the name `on`; undefined if nothing. */
export function measured(question, level, on) {
  return (question.metrics.length ? level.metrics : level.accuracy)[on];
}

/** What a measure is called: a metric as its program calls it. */
export function measureName(question, on) {
  return question.metrics.length ? on : t(`set.${on}`);
}
