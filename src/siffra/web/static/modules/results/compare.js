// Two runs side by side: the knobs in which they differ, and what that came to.

import { fill, h } from "../dom.js";
import { to } from "../route.js";
import { get, tellRefusal } from "../server.js";
import { measure, number, percent, t } from "../words.js";
import { columnName, setsIn } from "./sets.js";

/** The runs `a` and `b` in `main`. Returns what ends it. */
export function compareView(main, a, b) {
  const back = h("p", { class: "eyebrow" }, h("a", { href: to(["runs"]) }, t("ui.nav.runs")));
  let over = false;
  fill(main, back);
  load().catch((error) => {
    if (over) return;
    const refusal = h("p", { class: "refusal", role: "alert" });
    fill(main, back, refusal);
    tellRefusal(refusal, error);
  });

  async function load() {
    const told = await get(`api/compare?${new URLSearchParams({ a, b })}`);
    if (!over) fill(main, back, h("h1", {}, t("ui.compare.title")), ...tables(told));
  }

  return () => (over = true);
}

function tables({ a, b, differing, same_seed: sameSeed, difference }) {
  const head = (last) =>
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("td"),
        [
          ["A", a],
          ["B", b],
        ].map(([name, run]) =>
          h("th", { scope: "col", class: "number" }, h("a", { href: to(["runs", run.key]) }, name)),
        ),
        last && h("th", { scope: "col", class: "number" }, last),
      ),
    );
  const knobs = Object.entries(differing);
  const knobRows = [
    ...knobs.map(([knob, [ofA, ofB]]) => [
      columnName(knob),
      String(ofA ?? "–"),
      String(ofB ?? "–"),
    ]),
    [columnName("seed"), String(a.seed), String(b.seed)],
  ];
  const rows = setsIn(difference.accuracy).map((set) => [
    t(`set.${set}`),
    percent(a.accuracy[set], 2),
    percent(b.accuracy[set], 2),
    difference.accuracy[set] === null ? "–" : signed(100 * difference.accuracy[set]),
  ]);
  rows.push(
    ...Object.entries(difference.metrics).map(([name, gap]) => [
      name,
      measure(a.metrics[name]),
      measure(b.metrics[name]),
      gap === null ? "–" : `${gap > 0 ? "+" : ""}${measure(gap)}`,
    ]),
  );
  const ratio = difference.seconds_ratio;
  rows.push([
    t("figure.time"),
    `${number(a.seconds, 2)}\u00a0s`,
    `${number(b.seconds, 2)}\u00a0s`,
    ratio === null ? "–" : `×\u00a0${number(ratio, 2)}`,
  ]);
  return [
    h("p", { class: "soft" }, t(sameSeed ? "ui.compare.same_seed" : "ui.compare.other_seed")),
    h(
      "section",
      {},
      h("h3", {}, t("ui.compare.settings")),
      knobs.length ? null : h("p", {}, t("ui.compare.no_difference")),
      table(head(), knobRows),
    ),
    h("section", {}, h("h3", {}, t("ui.compare.results")), table(head("A − B"), rows)),
    h("p", { class: "soft" }, t("ui.compare.caution")),
  ];
}

function table(head, rows) {
  const row = ([name, ...cells]) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, name),
      cells.map((cell) => h("td", { class: "number" }, cell)),
    );
  return h("div", { class: "scroll" }, h("table", {}, head, h("tbody", {}, rows.map(row))));
}

function signed(points) {
  return `${points > 0 ? "+" : ""}${number(points, 2)}`;
}
