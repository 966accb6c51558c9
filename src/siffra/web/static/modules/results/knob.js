// What is needed to draw a question's measure against the one knob that it varies.

import { measured } from "./sets.js";

/** The levels on the scale of their knob, the smallest first; null where the knob has no scale. */
export function alongKnob(question, on) {
  if (question.vary.length !== 1) return null;
  const [knob] = question.vary;
  const values = question.levels.map((level) => level.knobs[knob]);
  const isScale = values.every((value) => typeof value === "number" && Number.isFinite(value));
  if (!isScale || new Set(values).size < 2) return null;
  return question.levels
    .map((level, index) => {
      const { mean = null, interval = [], values: each = [] } = measured(question, level, on) ?? {};
      return { x: values[index], index, mean, low: interval[0], high: interval[1], values: each };
    })
    .sort((a, b) => a.x - b.x);
}
