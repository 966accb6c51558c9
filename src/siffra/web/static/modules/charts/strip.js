// One level on a scale: every seed's run a ring, their mean a point within its interval.

import { s } from "../dom.js";
import { extent } from "./axes.js";

const WIDTH = 240;
const HEIGHT = 26;
const MARGIN = 7;

/**
 * The scale on which levels can be compared: all runs, and their intervals as far as those do not
 * dwarf the runs, as with two seeds they do. `low` and `high` are fractions.
 */
export function scaleOf(summaries) {
  const runs = summaries.flatMap(({ values }) => values);
  const [least, most] = extent(runs);
  const reach = most - least || Math.abs(most) / 100 || 1;
  const ends = summaries.flatMap(({ low, high }) => [low, high]).filter(Number.isFinite);
  return {
    low: Math.max(least - reach, Math.min(least - reach / 20, ...ends)),
    high: Math.min(most + reach, Math.max(most + reach / 20, ...ends)),
  };
}

/** A drawing of `summary` (mean, low, high, values) on `scale`, in the colour of that name. */
export function strip(summary, scale, colourName, label) {
  const x = (value) =>
    MARGIN + ((WIDTH - 2 * MARGIN) * (value - scale.low)) / (scale.high - scale.low);
  const middle = HEIGHT / 2;
  const drawn = s("svg", {
    class: "strip",
    viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
    role: "img",
    "aria-label": label,
    vars: { "--level": `var(${colourName})` },
  });
  drawn.append(s("line", { class: "track", x1: 0, x2: WIDTH, y1: middle, y2: middle }));
  if (Number.isFinite(summary.low) && summary.values.length > 1) {
    const cap = (at) =>
      s("line", { class: "interval", x1: x(at), x2: x(at), y1: middle - 4, y2: middle + 4 });
    const [low, high] = [Math.max(summary.low, scale.low), Math.min(summary.high, scale.high)];
    drawn.append(s("line", { class: "interval", x1: x(low), x2: x(high), y1: middle, y2: middle }));
    // An interval that goes on beyond the scale has no cap there.
    drawn.append(
      ...[low === summary.low && cap(low), high === summary.high && cap(high)].filter(Boolean),
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
