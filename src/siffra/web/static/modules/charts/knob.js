// Accuracy, or a metric, against the knob: every run a ring, each level's mean with its interval.

import uPlot from "../../vendor/uplot/uPlot.js";
import { colour, levelStyle } from "../colours.js";
import { fill } from "../dom.js";
import { exact, t } from "../words.js";
import { HEIGHT, axis, keepFitting, percentTicks, plainTicks, rangeOf } from "./axes.js";

const WIDE = 20; // beyond this factor between the ends a scale is logarithmic
const CROWDED = 26; // CSS pixels that the value of a level takes under its point

/**
 * A chart in `host`: `update(points, { knob, metric })` with `[{ x, index, mean, low, high, values }]`
 * in the order of `x`; `metric` is the label of a measure that is no accuracy.
 */
export function knobChart(host) {
  let plot = null;
  let points = [];
  let metric = null;
  let drawnAs = "";
  const leave = keepFitting(host, () => plot, () => HEIGHT);
  const shownAs = (value) => (metric ? value : 100 * value);

  function update(next, labels) {
    points = next;
    metric = labels.metric ?? null;
    const columns = [points.map(({ x }) => x), points.map(({ mean }) => known(mean) ? shownAs(mean) : null)];
    const shape = JSON.stringify([labels, columns[0]]);
    if (plot && shape === drawnAs) return plot.setData(columns);
    drawnAs = shape;
    plot?.destroy();
    fill(host);
    plot = new uPlot(options(labels), columns, host);
  }

  function options({ knob }) {
    const [least, most] = [points[0].x, points.at(-1).x];
    const isLog = least > 0 && most / least > WIDE;
    const room = isLog ? (most / least) ** 0.06 : 0.06 * (most - least);
    const range = isLog ? [least / room, most * room] : [least - room, most + room];
    return {
      width: host.clientWidth || 400,
      height: HEIGHT,
      padding: [10, 14, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, distr: isLog ? 3 : 1, range: () => range }, y: { range: roundThem } },
      axes: [
        axis(knob, levelTicks, 32, { splits: () => points.map(({ x }) => x), filter: (_, ticks) => ticks }),
        axis(metric ?? t("figure.accuracy"), metric ? plainTicks : percentTicks, metric ? 60 : 46),
      ],
      series: [{}, { stroke: () => colour("--edge"), width: 1.5, dash: [4, 4], points: { show: false } }],
      hooks: { draw: [drawLevels] },
    };
  }

  // The levels' own values, those left out that would run into the one before.
  function levelTicks(u, ticks) {
    let last = -Infinity;
    return ticks.map((tick) => {
      const x = u.valToPos(tick, "x");
      if (x - last < CROWDED) return "";
      last = x;
      return exact(tick);
    });
  }

  function roundThem() {
    const runs = points.flatMap(({ mean, values }) => [mean, ...values]).filter(known);
    const ends = points.flatMap(({ low, high }) => [low, high]).filter(known);
    return rangeOf(runs.map(shownAs), ends.map(shownAs), !metric);
  }

  function drawLevels(u) {
    const { ctx } = u;
    const dpr = uPlot.pxRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
    ctx.clip();
    ctx.setLineDash([]); // the line between the means is dashed
    for (const { x, index, mean, low, high, values } of points) {
      const across = u.valToPos(x, "x", true);
      const up = (value) => u.valToPos(shownAs(value), "y", true);
      const ink = colour(levelStyle(index).colour);
      ctx.strokeStyle = ctx.fillStyle = ink;
      ctx.lineWidth = 1.2 * dpr;
      // Runs stand a little aside, in the order of their seeds, so that equal ones can be seen.
      values.filter(known).forEach((value, i) => {
        const aside = ((i % 5) - 2) * 2.5 * dpr;
        circle(ctx, across + 12 * dpr + aside, up(value), 2.8 * dpr);
        ctx.stroke();
      });
      if (!known(mean)) continue;
      if (known(low) && known(high)) {
        ctx.lineWidth = 2 * dpr;
        ctx.beginPath();
        ctx.moveTo(across, up(low));
        ctx.lineTo(across, up(high));
        for (const end of [low, high]) {
          ctx.moveTo(across - 4 * dpr, up(end));
          ctx.lineTo(across + 4 * dpr, up(end));
        }
        ctx.stroke();
      }
      circle(ctx, across, up(mean), 5 * dpr);
      ctx.fill();
      ctx.lineWidth = 1.5 * dpr;
      ctx.strokeStyle = colour("--paper");
      ctx.stroke();
    }
    ctx.restore();
  }

  return { update, leave };
}

function circle(ctx, x, y, radius) {
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
}

function known(value) {
  return value !== null && value !== undefined && Number.isFinite(value);
}
