// What all charts share: font, axes, and the numbers along them.

import { colour } from "../colours.js";
import { exact, number } from "../words.js";

export const FONT = '12px "Inter Variable", system-ui, sans-serif';
export const HEIGHT = 300;

/** An axis for uPlot; `values(u, ticks)` are the texts at its ticks. */
export function axis(label, values, size, more) {
  return {
    label,
    labelFont: FONT,
    font: FONT,
    stroke: () => colour("--soft"),
    labelSize: 22,
    size,
    grid: { stroke: () => colour("--grid"), width: 1 },
    ticks: { show: false },
    border: { show: true, stroke: () => colour("--edge"), width: 1 },
    values,
    ...more,
  };
}

/** Per cent with as many decimals as the ticks need; nothing is above 100. */
export function percentTicks(_, ticks) {
  const places = [0, 1].find((n) => ticks.every((tick) => Number.isInteger(tick * 10 ** n))) ?? 2;
  return ticks.map((tick) => (tick > 100 ? "" : number(tick, places)));
}

/** Numbers of any kind. */
export function plainTicks(_, ticks) {
  return ticks.map((tick) => exact(Number(tick.toPrecision(6))));
}

/** The least and the most of them, of any number: a call takes no more than some 100,000. */
export function extent(values) {
  let [least, most] = [Infinity, -Infinity];
  for (const value of values) {
    if (value < least) least = value;
    if (value > most) most = value;
  }
  return [least, most];
}

/**
 * The range of the upright axis: every number in `within` fits, those in `beyond` (the ends of
 * intervals) as far as they do not dwarf these. Per cent stay between 0 and 100.
 */
export function rangeOf(within, beyond, inPercent) {
  if (!within.length) return [0, 100];
  const [least, most] = extent(within);
  const [lowest, highest] = extent(beyond);
  const narrowest = inPercent ? 1 : Math.abs(most) / 100 || 1;
  const reach = Math.max(narrowest, most - least) / 2;
  const low = Math.max(least - reach, Math.min(least, lowest));
  const high = Math.min(most + reach, Math.max(most, highest));
  const air = Math.max(inPercent ? 0.5 : 0, 0.06 * (high - low)) || reach; // what never changes is a line, too
  return inPercent ? [Math.max(0, low - air), Math.min(100.5, high + air)] : [low - air, high + air];
}

/** One value alone would have no width. */
export function around(low, high) {
  return low === high
    ? [low - 0.5, high + 0.5]
    : [low - 0.03 * (high - low), high + 0.03 * (high - low)];
}

/** Keep `plot()` as wide as `host`, and in the colours of the theme; returns what ends it. */
export function keepFitting(host, plot, height) {
  const resized = new ResizeObserver(() =>
    plot()?.setSize({ width: host.clientWidth, height: height() }),
  );
  const recoloured = () => plot()?.redraw(false);
  resized.observe(host);
  window.addEventListener("themechange", recoloured);
  return () => {
    resized.disconnect();
    window.removeEventListener("themechange", recoloured);
    plot()?.destroy();
  };
}
