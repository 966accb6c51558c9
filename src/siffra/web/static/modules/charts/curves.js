// Accuracy, or a metric, against epochs: a line and a band a level, and a point for each seed's run.

import uPlot from "../../vendor/uplot/uPlot.js";
import { colour, faded, levelStyle } from "../colours.js";
import { exact, number, t } from "../words.js";

const FONT = '12px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
const HEIGHT = 300;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500]; // there is no half an epoch
const WHOLE_UP_TO = 5000; // beyond that, steps of 500 would be too many

/**
 * A chart in `host`. Give `update` the levels whenever there is news:
 * `[{ name, index, shown, mean, low, high, runs: [{ values, done }] }]`, where `mean`, `low` and
 * `high` are fractions by epoch (null where there is none yet) and `values` one run's;
 * and how many epochs are planned, so that the lines grow into room that is there. A metric that is
 * no accuracy has `own`: the `epochs` of its values, and its `label`.
 */
export function curvesChart(host) {
  let plot = null;
  let levels = [];
  let epochs = 1;
  let own = null;
  let drawnAs = "";
  const shownAs = (value) => (own ? (value ?? null) : inPercent(value));

  function update(next, planned = 1, metric = null) {
    levels = next;
    own = metric;
    epochs = Math.max(
      planned,
      ...levels.flatMap((l) => [l.mean.length, ...l.runs.map((r) => r.values.length)]),
    );
    const shape = JSON.stringify([own?.label, levels.map((level) => [level.index, level.name])]);
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
    const first = own?.epochs ?? Array.from({ length: epochs }, (_, i) => i + 1);
    const padded = (values) => first.map((_, i) => shownAs(values[i]));
    return [first, ...levels.flatMap((l) => [padded(l.mean), padded(l.low), padded(l.high)])];
  }

  function options() {
    const spanGaps = own !== null; // levels may have their values at different epochs
    const edge = { stroke: "transparent", points: { show: false }, spanGaps };
    const lines = levels.flatMap((level) => {
      const { colour: name, dashes } = levelStyle(level.index);
      const line = {
        label: level.name,
        stroke: () => colour(name),
        dash: dashes,
        width: 2,
        points: { show: false },
        spanGaps,
      };
      return [line, edge, edge];
    });
    const bands = levels.map((level, i) => ({
      series: [3 * i + 3, 3 * i + 2],
      fill: () => faded(levelStyle(level.index).colour, 0.14),
    }));
    const atWhole = !own || (own.epochs.every(Number.isInteger) && own.epochs.at(-1) < WHOLE_UP_TO);
    const whole = { incrs: WHOLE };
    return {
      width: host.clientWidth || 600,
      height: HEIGHT,
      padding: [10, 14, 0, 0],
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: epochsShown }, y: { range: roundTheRuns } },
      axes: [
        axis(t("figure.epochs"), atWhole ? wholeEpochs : plainTicks, 32, atWhole && whole),
        axis(own?.label ?? t("figure.accuracy"), own ? plainTicks : decimals, own ? 60 : 46),
      ],
      series: [{}, ...lines],
      bands,
      hooks: { draw: [drawRuns] },
    };
  }

  function epochsShown() {
    return own ? around(own.epochs[0] ?? 0, own.epochs.at(-1) ?? 1) : around(1, epochs);
  }

  // Every run and mean that is shown fits; bands as far as they do not dwarf the runs.
  function roundTheRuns() {
    const shown = levels.filter((level) => level.shown);
    const known = (values) => values.filter((v) => v !== null && v !== undefined).map(shownAs);
    const runs = known(shown.flatMap((l) => [...l.mean, ...l.runs.flatMap((r) => r.values)]));
    if (!runs.length) return [0, 100];
    const [least, most] = [Math.min(...runs), Math.max(...runs)];
    const narrowest = own ? Math.abs(most) / 100 || 1 : 1;
    const reach = Math.max(narrowest, most - least) / 2;
    const low = Math.max(least - reach, Math.min(least, ...known(shown.flatMap((l) => l.low))));
    const high = Math.min(most + reach, Math.max(most, ...known(shown.flatMap((l) => l.high))));
    if (own) return [low - 0.06 * (high - low), high + 0.06 * (high - low)];
    const air = Math.max(0.5, 0.06 * (high - low));
    return [Math.max(0, low - air), Math.min(100.5, high + air)];
  }

  // A point at the end of each run; where one is being trained, its line so far as well.
  function drawRuns(u) {
    const { ctx } = u;
    const dpr = uPlot.pxRatio;
    const at = (i, value) => [
      u.valToPos(own?.epochs[i] ?? i + 1, "x", true),
      u.valToPos(shownAs(value), "y", true),
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

function axis(label, values, size, more) {
  const ink = () => colour("--soft");
  return {
    label,
    labelFont: FONT,
    font: FONT,
    stroke: ink,
    labelSize: 22,
    size,
    grid: { stroke: () => colour("--grid"), width: 1 },
    ticks: { show: false },
    border: { show: true, stroke: () => colour("--edge"), width: 1 },
    values,
    ...more,
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

function plainTicks(_, ticks) {
  return ticks.map((tick) => exact(Number(tick.toPrecision(6))));
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
