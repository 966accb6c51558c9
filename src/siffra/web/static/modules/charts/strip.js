// One level on a scale: every seed's run a ring, their mean a point within its interval.

import { s } from "../dom.js";

const WIDTH = 240;
const HEIGHT = 26;
const MARGIN = 7;

/** The scale on which levels can be compared: from `low` to `high`, both fractions. */
export function scaleOf(summaries) {
  const values = summaries.flatMap(({ low, high, values }) => [low, high, ...values]).filter(Number.isFinite);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const air = high > low ? 0 : Math.abs(high) / 100 || 1;
  return { low: low - air, high: high + air };
}

/** A drawing of `summary` (mean, low, high, values) on `scale`, in the colour of level `index`. */
export function strip(summary, scale, colourName, label) {
  const x = (value) =>
    MARGIN + ((WIDTH - 2 * MARGIN) * (value - scale.low)) / (scale.high - scale.low || 1);
  const middle = HEIGHT / 2;
  const drawn = s("svg", {
    class: "strip", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label,
    vars: { "--level": `var(${colourName})` },
  });
  drawn.append(s("line", { class: "track", x1: 0, x2: WIDTH, y1: middle, y2: middle }));
  if (Number.isFinite(summary.low) && summary.values.length > 1) {
    const [low, high] = [x(summary.low), x(summary.high)];
    drawn.append(
      s("line", { class: "interval", x1: low, x2: high, y1: middle, y2: middle }),
      s("line", { class: "interval", x1: low, x2: low, y1: middle - 4, y2: middle + 4 }),
      s("line", { class: "interval", x1: high, x2: high, y1: middle - 4, y2: middle + 4 }),
    );
  }
  for (const value of summary.values) {
    drawn.append(s("circle", { class: "run", cx: x(value), cy: middle, r: 3.2 }));
  }
  if (summary.values.length) {
    drawn.append(s("circle", { class: "mean", cx: x(summary.mean), cy: middle, r: 4.4 }));
  }
  return drawn;
}
