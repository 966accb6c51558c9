// What networks take for what: rows are true classes, columns what a network said.

import { fill, h, scroller } from "../dom.js";
import { number, t } from "../words.js";
import { setsIn } from "./sets.js";
import { switchOf } from "./switch.js";

/** The matrices of one run or of several, `[{ name, bySet }]`, one set at a time. */
export function confusion(runs) {
  const host = h("div", { class: "confusions" });
  const sets = setsIn(...runs.map(({ bySet }) => bySet));

  function show(set) {
    fill(
      host,
      runs
        .filter(({ bySet }) => bySet[set])
        .map(({ name, bySet }) => {
          const label = name && `${name}: ${t(`set.${set}`)}`;
          return scroller(label ?? t("ui.run.confusion"), matrix(bySet[set], label));
        }),
    );
  }

  show(sets[0]);
  return [switchOf(sets, (set) => t(`set.${set}`), show), host, h("p", { class: "soft" }, t("ui.run.confusion_how"))];
}

function matrix(counts, name) {
  const classes = counts.map((_, i) => i);
  const row = (values, truth) => {
    const total = values.reduce((sum, n) => sum + n, 0) || 1;
    return h(
      "tr",
      {},
      h("th", { scope: "row" }, String(truth)),
      values.map((n, said) => {
        const kind = said === truth ? "right" : n ? "wrong" : "none";
        return h(
          "td",
          { class: `number ${kind}`, vars: { "--share": n / total } },
          n ? number((100 * n) / total, 1) : "",
        );
      }),
    );
  };
  return h(
    "table",
    { class: "confusion" },
    name && h("caption", {}, name),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h(
          "td",
          {},
          h("span", { class: "soft" }, `${t("figure.true")} ↓  ${t("figure.predicted")} →`),
        ),
        classes.map((c) => h("th", { scope: "col", class: "number" }, String(c))),
      ),
    ),
    h("tbody", {}, counts.map(row)),
  );
}
