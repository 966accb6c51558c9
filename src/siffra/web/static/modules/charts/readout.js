// The values of a chart's lines at one epoch: that under the pointer, or that arrow keys have come to.

import { fill, h } from "../dom.js";
import { t } from "../words.js";
import { lineSample } from "./sample.js";

const GAP = 10; // CSS pixels
const STEPS = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity };

/**
 * A readout for a uPlot chart: its `cursor` and `hooks` belong to the chart's options, and `place(u)`
 * puts it there. `at(place)` says what stands at a place along the chart: `{ title, lines }`, with
 * `[{ index, name, text }]`; `zoomed(range)` hears which epochs are marked, null for all.
 */
export function readout(at, zoomed) {
  const box = h("div", { class: "readout", hidden: true });
  let shown = null;

  function moved(u) {
    const { idx, left } = u.cursor;
    const isOn = left >= 0 && idx !== null && idx !== undefined;
    const { title, lines } = isOn ? at(idx) : { lines: [] };
    box.hidden = !lines.length;
    shown = lines.length ? idx : null;
    if (shown === null) return;
    const line = ({ index, name, text }) =>
      h("li", {}, lineSample(index), h("span", {}, name), h("b", {}, text));
    fill(box, h("p", {}, title), h("ul", {}, lines.map(line)));
    beside(u, u.valToPos(u.data[0][idx], "x"));
    u.over.setAttribute("aria-valuenow", u.data[0][idx]);
    const said = lines.map(({ name, text }) => `${name} ${text}`).join("; ");
    u.over.setAttribute("aria-valuetext", `${title}: ${said}`);
  }

  // On the side where there is more room, and never beyond the chart.
  function beside(u, x) {
    const [start, width] = [u.bbox.left, u.bbox.width].map((pixels) => pixels / devicePixelRatio);
    const wide = box.offsetWidth;
    const left = x > width / 2 ? x - wide - GAP : x + GAP;
    box.style.setProperty("--x", `${Math.max(-start, Math.min(left, u.width - start - wide))}px`);
  }

  function place(u) {
    const [first, last] = [u.data[0][0] ?? 0, u.data[0].at(-1) ?? 0];
    const named = { "aria-valuemin": first, "aria-valuemax": last, "aria-valuenow": first };
    const all = { role: "slider", tabindex: 0, title: t("ui.chart.zoom"), "aria-label": t("ui.chart.read"), ...named };
    for (const [name, value] of Object.entries(all)) u.over.setAttribute(name, value);
    u.over.append(box);
    u.over.addEventListener("keydown", (event) => step(u, event));
    u.over.addEventListener("blur", () => u.setCursor({ left: -1, top: -1 }));
    u.over.addEventListener("dblclick", () => zoomed(null));
  }

  function step(u, event) {
    if (event.key === "Escape") zoomed(null);
    if (!(event.key in STEPS)) return;
    event.preventDefault();
    const from = shown ?? (STEPS[event.key] > 0 ? -1 : u.data[0].length);
    const to = Math.max(0, Math.min(u.data[0].length - 1, from + STEPS[event.key]));
    u.setCursor({ left: u.valToPos(u.data[0][to], "x"), top: 0 });
  }

  function marked(u) {
    const { left, width } = u.select;
    if (!width) return;
    u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    zoomed([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
  }

  return {
    cursor: { y: false, points: { show: false }, drag: { x: true, setScale: false, dist: 8 } },
    hooks: { setCursor: [moved], setSelect: [marked] },
    place,
  };
}
