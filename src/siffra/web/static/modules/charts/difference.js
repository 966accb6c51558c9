// A claim's estimate on one line: every seed's difference, their mean and interval, and the margin.

import { s } from "../dom.js";

const WIDTH = 240;
const HEIGHT = 40;
const MIDDLE = 18;
const MARGIN = 8;

/** The scale on which these claims can be compared: their intervals, zero and the margin are on it. */
export function scaleOf(claims) {
  const known = claims.flatMap((claim) => {
    const { values, interval, claimed, margin } = onLine(claim);
    return [...values, ...interval, claimed - margin, claimed + margin].filter(Number.isFinite);
  });
  const [low, high] = [Math.min(0, ...known), Math.max(0, ...known)];
  const room = 0.04 * (high - low) || 1;
  return { low: low - room, high: high + room };
}

/** A drawing of `claim` on `scale`; `label` says the same in words, `none` marks no difference. */
export function difference(claim, scale, label, none) {
  const { values, interval, estimate, claimed, margin } = onLine(claim);
  const x = (value) =>
    MARGIN + ((WIDTH - 2 * MARGIN) * (clamp(value, scale) - scale.low)) / (scale.high - scale.low);
  const line = (name, x1, x2, y1, y2) => s("line", { class: name, x1, x2, y1, y2 });
  const [low, high] = [x(interval[0] ?? -Infinity), x(interval[1] ?? Infinity)];
  return s(
    "svg",
    { class: "difference", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label },
    s("rect", { class: "margin", x: x(claimed - margin), width: x(claimed + margin) - x(claimed - margin), y: 4, height: 28 }),
    line("zero", x(0), x(0), 2, 32),
    s("text", { x: x(0), y: HEIGHT - 1, "text-anchor": "middle" }, none),
    values.map((value) => s("circle", { class: "run", cx: x(value), cy: MIDDLE, r: 3 })),
    claim.interval && [
      line("interval", low, high, MIDDLE, MIDDLE),
      // An interval that is open has no cap at that end.
      interval[0] !== null && line("interval", low, low, MIDDLE - 6, MIDDLE + 6),
      interval[1] !== null && line("interval", high, high, MIDDLE - 6, MIDDLE + 6),
    ],
    s("circle", { class: "mean", cx: x(estimate), cy: MIDDLE, r: 5 }),
  );
}

// On a line where no difference is 0: factors by their logarithm. Of a claim that one level has so
// many times, or so much more than, what another has, the two levels themselves are compared, as in
// texts; the margin lies around what is claimed.
function onLine({ values, interval, estimate, margin, scale, times, plus }) {
  const isRatio = scale === "ratio";
  const claimed = isRatio ? Math.log(times) : plus;
  const place = (value) => (value === null ? null : (isRatio ? Math.log(value) : value) + claimed);
  return {
    values: values.map(place).filter(Number.isFinite),
    interval: (interval ?? []).map(place),
    estimate: place(estimate),
    claimed,
    margin: isRatio ? Math.log(1 + margin) : margin,
  };
}

function clamp(value, { low, high }) {
  return Math.min(high, Math.max(low, value));
}
