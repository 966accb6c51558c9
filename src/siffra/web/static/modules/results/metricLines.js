// The curves of a metric that a program measured, at the epochs for which it told its value.

import { curvesChart } from "../charts/curves.js";
import { h } from "../dom.js";
import { count } from "../words.js";

const AT_ONCE = 12; // a program may print a great many numbers

/** For the metric `on`: the `epochs` of all levels, and a line for each level over all of these. */
export function metricLines({ levels }, on) {
  const allEpochs = levels.flatMap((level) => [
    ...level.band[on].epochs,
    ...level.ends[on].map(([epoch]) => epoch),
  ]);
  const epochs = [...new Set(allEpochs)].sort((a, b) => a - b);
  const place = new Map(epochs.map((epoch, index) => [epoch, index]));
  const spread = (pairs) => {
    const values = epochs.map(() => null);
    for (const [epoch, value] of pairs) values[place.get(epoch)] = value;
    return values;
  };
  const lines = levels.map(({ name, band, ends }) => {
    const along = (values) => spread(band[on].epochs.map((epoch, i) => [epoch, values[i]]));
    return {
      name,
      mean: along(band[on].mean),
      low: along(band[on].low),
      high: along(band[on].high),
      ends: ends[on],
    };
  });
  return { epochs, lines };
}

/**
 * The curves of single `runs` of programs, `[{ name, curves, metrics }]`, a section for each metric in
 * the order of their `metrics`: the first few, and the others when they are asked for. Give `draw` to what is in the page; `leave` ends it.
 */
export function metricCharts(runs) {
  const labels = new Set([...runs.flatMap((run) => Object.keys(run.metrics)), ...runs.flatMap((run) => Object.keys(run.curves))]);
  const long = [...labels].filter((label) => runs.some(({ curves }) => curves[label]?.length > 1));
  const host = h("div", { class: "columns" });
  const leaving = [];

  function drawNext() {
    const shown = leaving.length;
    host.querySelector(":scope > .more")?.remove();
    const hosts = long.slice(shown, shown ? long.length : AT_ONCE).map((label) => {
      const chartHost = h("div", { class: "chart", role: "group", "aria-label": label });
      host.append(h("section", {}, h("h2", {}, label), chartHost));
      return [label, chartHost];
    });
    const left = long.length - shown - hosts.length;
    if (left) host.append(h("p", { class: "more" }, h("button", { type: "button", onclick: drawNext }, count("ui.run.more_curves", left))));
    for (const [label, chartHost] of hosts) {
      const chart = curvesChart(chartHost);
      leaving.push(chart.leave);
      const { epochs, lines } = metricLines({ levels: runs.map((run) => alone(run, label)) }, label);
      chart.update(lines.map((line, index) => ({ ...line, index })), 1, { epochs, label });
    }
    if (shown) hosts[0][1].scrollIntoView({ block: "nearest" });
  }

  return { host, draw: drawNext, leave: () => leaving.forEach((leave) => leave()) };
}

// A run's curve as that of a level which has no other.
function alone({ name, curves }, label) {
  const curve = curves[label] ?? [];
  const [epochs, mean] = [0, 1].map((i) => curve.map((pair) => pair[i]));
  return { name: name ?? label, band: { [label]: { epochs, mean, low: [], high: [] } }, ends: { [label]: curve.slice(-1) } };
}
