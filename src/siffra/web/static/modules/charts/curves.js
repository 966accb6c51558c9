// Accuracy, or a metric, against epochs: a line and a band a level, and a point for each seed's run.

import uPlot from "../../vendor/uplot/uPlot.js";
import { colour, faded, levelStyle } from "../colours.js";
import { fill } from "../dom.js";
import { exact, measure, percent, t } from "../words.js";
import { HEIGHT, around, axis, extent, keepFitting, percentTicks, plainTicks, rangeOf } from "./axes.js";
import { endNames, heightFor } from "./ends.js";
import { readout } from "./readout.js";

const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500]; // there is no half an epoch
const WHOLE_UP_TO = 5000; // beyond that, steps of 500 would be too many
const NAME = { share: 0.3, least: 48, most: 190, letter: 6.6, sample: 40 }; // CSS pixels

/**
 * A chart in `host`, with the levels' names at the ends of their lines. Give `update` the levels
 * whenever there is news: `[{ name, index, mean, low, high, ends, now }]`, where `mean`, `low` and
 * `high` are fractions by epoch (null where there is none yet), `ends` the last epoch and value of
 * each run, and `now` the values so far of one in progress; and how many epochs are planned, so that the lines grow into room that is there. A metric
 * that is no accuracy has `own`: the `epochs` of its values, and its `label`.
 */
export function curvesChart(host) {
  const hidden = new Set();
  let plot = null;
  let levels = [];
  let epochs = 1;
  let own = null;
  let drawnAs = "";
  let zoomed = null; // the first and the last epoch that are shown, if not all are
  const reading = readout(valuesAt, (range) => {
    zoomed = range;
    plot.setData(columns());
  });
  const names = endNames((index) => {
    if (!hidden.delete(index)) hidden.add(index);
    update(levels, epochs, own);
  });
  const isShown = (level) => !hidden.has(level.index);
  const shownAs = (value) => (own ? (value ?? null) : inPercent(value));
  const height = () => Math.max(HEIGHT, heightFor(levels.length));
  const leave = keepFitting(host, () => plot, height);

  function update(next, planned = 1, metric = null) {
    levels = next;
    own = metric;
    const ran = levels.flatMap((l) => [l.mean.length, l.now?.length ?? 0, ...l.ends.map(([epoch]) => epoch)]);
    epochs = extent([planned, ...ran])[1];
    const shape = JSON.stringify([own?.label, levels.map((level) => [level.index, level.name])]);
    if (plot && shape === drawnAs) plot.setData(columns());
    else {
      drawnAs = shape;
      zoomed = null;
      plot?.destroy();
      fill(host);
      plot = new uPlot(options(), columns(), host);
      plot.root.append(names.list);
      reading.place(plot);
    }
    levels.forEach((level, i) => {
      if (plot.series[3 * i + 1].show !== isShown(level))
        for (const series of [1, 2, 3]) plot.setSeries(3 * i + series, { show: isShown(level) });
    });
    placeNames(plot);
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
      const stroke = () => colour(name);
      const line = { label: level.name, stroke, dash: dashes, width: 2, points: { show: false }, spanGaps };
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
      height: height(),
      padding: [10, (u) => nameRoom(u.width), 0, 0],
      legend: { show: false },
      cursor: reading.cursor,
      scales: { x: { time: false, range: epochsShown }, y: { range: roundTheRuns } },
      axes: [
        axis(t("figure.epochs"), atWhole ? wholeEpochs : plainTicks, 32, atWhole && whole),
        axis(own?.label ?? t("figure.accuracy"), own ? plainTicks : percentTicks, own ? 60 : 46),
      ],
      series: [{}, ...lines],
      bands,
      hooks: { draw: [drawRuns, placeNames], ...reading.hooks },
    };
  }

  /** Room at the right for the longest name, as far as the chart is wide enough for it. */
  function nameRoom(width) {
    const longest = NAME.sample + NAME.letter * Math.max(...levels.map(({ name }) => name.length));
    const room = Math.min(NAME.most, NAME.share * width);
    return Math.max(NAME.least, Math.min(longest, room));
  }

  function placeNames(u) {
    // Not `clientHeight`: to ask the page for it would have it laid out anew with each epoch.
    const bottom = u.bbox.height / uPlot.pxRatio;
    names.list.style.setProperty("--room", `${nameRoom(u.width)}px`);
    names.show(
      levels.map((level) => {
        const end = lastOf(level.mean) ?? level.ends[0]?.[1] ?? lastOf(level.now ?? []);
        const y = end === undefined ? bottom : u.valToPos(shownAs(end), "y");
        return { index: level.index, name: level.name, shown: isShown(level), y: Math.max(0, Math.min(bottom, y)) };
      }),
      bottom,
    );
  }

  // Each level's mean with its interval at a place along the chart, or the run of the moment there.
  function valuesAt(place) {
    const text = (value) => (own ? measure(value) : percent(value, 2));
    const lines = levels.filter(isShown).map(({ index, name, mean, low, high, now = [] }) => {
      const value = mean[place] ?? now[place] ?? null;
      const isWide = value === mean[place] && Number.isFinite(low[place]) && high[place] > low[place];
      const interval = isWide ? ` (${text(low[place])} – ${text(high[place])})` : "";
      return { index, name, value, text: value === null ? "" : text(value) + interval };
    });
    const title = t("ui.chart.epoch", { n: exact(own ? own.epochs[place] : place + 1) });
    return { title, lines: lines.filter(({ value }) => value !== null) };
  }

  function epochsShown() {
    if (zoomed) return zoomed;
    return own ? around(own.epochs[0] ?? 0, own.epochs.at(-1) ?? 1) : around(1, epochs);
  }

  // Every run and mean that is shown fits; bands as far as they do not dwarf the runs.
  function roundTheRuns() {
    const shown = levels.filter(isShown);
    const known = (values) => values.filter((v) => v !== null && v !== undefined).map(shownAs);
    const isInView = (epoch) => !zoomed || (epoch >= zoomed[0] && epoch <= zoomed[1]);
    const seen = (values) => values.filter((_, i) => isInView(own ? own.epochs[i] : i + 1));
    const ends = (level) => level.ends.filter(([epoch]) => isInView(epoch)).map(([, value]) => value);
    const runs = known(shown.flatMap((l) => [seen(l.mean), seen(l.now ?? []), ends(l)].flat()));
    return rangeOf(runs, known(shown.flatMap((l) => [...seen(l.low), ...seen(l.high)])), !own);
  }

  // A point at the end of each run; where one is being trained, its line so far as well.
  function drawRuns(u) {
    const { ctx } = u;
    const dpr = uPlot.pxRatio;
    const at = (epoch, value) => [u.valToPos(epoch, "x", true), u.valToPos(shownAs(value), "y", true)];
    ctx.save();
    if (zoomed) {
      ctx.beginPath();
      ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
      ctx.clip();
    }
    for (const { index, ends, now = [] } of levels.filter(isShown)) {
      const name = levelStyle(index).colour;
      const point = (end, radius, fill, edge, width) => {
        ctx.beginPath();
        ctx.arc(...at(...end), radius * dpr, 0, 2 * Math.PI);
        [ctx.fillStyle, ctx.strokeStyle, ctx.lineWidth] = [colour(fill), colour(edge), width * dpr];
        ctx.fill();
        ctx.stroke();
      };
      for (const end of ends) point(end, 3, name, "--paper", 1);
      // From where a run diverged there is nothing.
      const last = now.findLastIndex((value) => value !== null);
      if (last < 0) continue;
      ctx.beginPath();
      now.slice(0, last + 1).forEach((value, i) => ctx.lineTo(...at(i + 1, value)));
      ctx.strokeStyle = faded(name, 0.55);
      ctx.lineWidth = dpr;
      ctx.stroke();
      point([last + 1, now[last]], 4, "--paper", name, 2);
    }
    ctx.restore();
  }

  return { update, leave };
}

function wholeEpochs(_, ticks) {
  return ticks.map((tick) => (Number.isInteger(tick) ? String(tick) : ""));
}

function lastOf(values) {
  return values.findLast((value) => value !== null && value !== undefined);
}

function inPercent(fraction) {
  return fraction === null || fraction === undefined ? null : 100 * fraction;
}
