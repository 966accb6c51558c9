// Accuracy against epochs: a line and a band for each level, and a point for each seed's run.

import uPlot from "../../vendor/uplot/uPlot.js";
import { colour, faded, levelStyle } from "../colours.js";
import { number, t } from "../words.js";

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const HEIGHT = 300;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500]; // there is no half an epoch

/**
 * A chart in `host`. Give `update` the levels whenever there is news:
 * `[{ name, index, shown, mean, low, high, runs: [{ values, done }] }]`, where `mean`, `low` and
 * `high` are fractions by epoch (null where there is none yet) and `values` one run's;
 * and how many epochs are planned, so that the lines grow into room that is there.
 */
export function curvesChart(host) {
  let plot = null;
  let levels = [];
  let epochs = 1;
  let drawnAs = "";

  function update(next, planned = 1) {
    levels = next;
    epochs = Math.max(
      planned,
      ...levels.flatMap((l) => [l.mean.length, ...l.runs.map((r) => r.values.length)]),
    );
    const shape = JSON.stringify(levels.map((level) => [level.index, level.name]));
    if (plot && shape === drawnAs) {
      levels.forEach((level, i) => {
        if (plot.series[3 * i + 1].show !== level.shown) setShown(i, level.shown);
      });
      plot.setData(columns());
    } else {
      drawnAs = shape;
      plot?.destroy();
      plot = new uPlot(options(), columns(), host);
      levels.forEach((level, i) => level.shown || setShown(i, false));
    }
  }

  function setShown(i, show) {
    for (const series of [1, 2, 3]) plot.setSeries(3 * i + series, { show });
  }

  // The columns of the table that uPlot draws: epochs, then mean, low and high of each level.
  function columns() {
    const padded = (values) => Array.from({ length: epochs }, (_, i) => inPercent(values[i]));
    const first = Array.from({ length: epochs }, (_, i) => i + 1);
    return [first, ...levels.flatMap((l) => [padded(l.mean), padded(l.low), padded(l.high)])];
  }

  function options() {
    const edge = { stroke: "transparent", points: { show: false } };
    const lines = levels.flatMap((level) => {
      const { colour: name, dashes } = levelStyle(level.index);
      const line = {
        label: level.name,
        stroke: () => colour(name),
        dash: dashes,
        width: 2,
        points: { show: false },
      };
      return [line, edge, edge];
    });
    const bands = levels.map((level, i) => ({
      series: [3 * i + 3, 3 * i + 2],
      fill: () => faded(levelStyle(level.index).colour, 0.14),
    }));
    return {
      width: host.clientWidth || 600,
      height: HEIGHT,
      padding: [10, 14, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: () => around(1, epochs) }, y: { range: roundTheRuns } },
      axes: [axis("figure.epochs", wholeEpochs), axis("figure.accuracy", decimals)],
      series: [{}, ...lines],
      bands,
      hooks: { draw: [drawRuns] },
    };
  }

  // Every run and mean that is shown fits; bands as far as they do not dwarf the runs.
  function roundTheRuns() {
    const shown = levels.filter((level) => level.shown);
    const known = (values) => values.filter((v) => v !== null && v !== undefined).map(inPercent);
    const runs = known(shown.flatMap((l) => [...l.mean, ...l.runs.flatMap((r) => r.values)]));
    if (!runs.length) return [0, 100];
    const [least, most] = [Math.min(...runs), Math.max(...runs)];
    const reach = Math.max(1, most - least) / 2;
    const low = Math.max(least - reach, Math.min(least, ...known(shown.flatMap((l) => l.low))));
    const high = Math.min(most + reach, Math.max(most, ...known(shown.flatMap((l) => l.high))));
    const air = Math.max(0.5, 0.06 * (high - low));
    return [Math.max(0, low - air), Math.min(100.5, high + air)];
  }

  // A point at the end of each run; where one is being trained, its line so far as well.
  function drawRuns(u) {
    const { ctx } = u;
    const dpr = uPlot.pxRatio;
    const at = (i, value) => [
      u.valToPos(i + 1, "x", true),
      u.valToPos(inPercent(value), "y", true),
    ];
    ctx.save();
    for (const level of levels.filter((each) => each.shown)) {
      const name = levelStyle(level.index).colour;
      for (const run of level.runs.filter((each) => each.values.length)) {
        // From where a run diverged there is nothing.
        const last = run.values.findLastIndex((value) => value !== null);
        if (last < 0) continue;
        if (!run.done) {
          ctx.beginPath();
          run.values.slice(0, last + 1).forEach((value, i) => ctx.lineTo(...at(i, value)));
          ctx.strokeStyle = faded(name, 0.55);
          ctx.lineWidth = dpr;
          ctx.stroke();
        }
        ctx.beginPath();
        ctx.arc(...at(last, run.values[last]), (run.done ? 3 : 4) * dpr, 0, 2 * Math.PI);
        ctx.fillStyle = run.done ? colour(name) : colour("--paper");
        ctx.strokeStyle = run.done ? colour("--paper") : colour(name);
        ctx.lineWidth = (run.done ? 1 : 2) * dpr;
        ctx.fill();
        ctx.stroke();
      }
    }
    ctx.restore();
  }

  const resized = new ResizeObserver(() =>
    plot?.setSize({ width: host.clientWidth, height: HEIGHT }),
  );
  resized.observe(host);
  const recoloured = () => plot?.redraw(false);
  window.addEventListener("themechange", recoloured);

  return {
    update,
    leave() {
      resized.disconnect();
      window.removeEventListener("themechange", recoloured);
      plot?.destroy();
    },
  };
}

function axis(label, values) {
  const ink = () => colour("--soft");
  return {
    label: t(label),
    labelFont: FONT,
    font: FONT,
    stroke: ink,
    labelSize: 22,
    size: label === "figure.epochs" ? 32 : 46,
    grid: { stroke: () => colour("--grid"), width: 1 },
    ticks: { show: false },
    border: { show: true, stroke: () => colour("--edge"), width: 1 },
    values,
    ...(label === "figure.epochs" && { incrs: WHOLE }),
  };
}

function wholeEpochs(_, ticks) {
  return ticks.map((tick) => (Number.isInteger(tick) ? String(tick) : ""));
}

function decimals(_, ticks) {
  const places = ticks.every((tick) => Number.isInteger(tick))
    ? 0
    : ticks.every((tick) => Number.isInteger(10 * tick))
      ? 1
      : 2;
  return ticks.map((tick) => (tick > 100 ? "" : number(tick, places)));
}

// One epoch alone would have no width.
function around(low, high) {
  return low === high
    ? [low - 0.5, high + 0.5]
    : [low - 0.03 * (high - low), high + 0.03 * (high - low)];
}

function inPercent(fraction) {
  return fraction === null || fraction === undefined ? null : 100 * fraction;
}
