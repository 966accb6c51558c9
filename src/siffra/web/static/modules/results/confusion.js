// What a network takes for what: rows are true classes, columns what it said.

import { fill, h } from "../dom.js";
import { number, t } from "../words.js";
import { setsIn } from "./sets.js";


/** The matrices of `bySet`, one set at a time. */
export function confusion(bySet) {
  const sets = setsIn(bySet);
  const host = h("div", { class: "scroll" });
  const choices = h("div", { class: "choices", role: "group", "aria-label": t("ui.question.set") });

  function show(set) {
    fill(
      choices,
      sets.map((each) =>
        h(
          "button",
          {
            type: "button",
            "aria-pressed": String(each === set),
            onclick: () => {
              show(each);
              choices.querySelector("[aria-pressed=true]").focus();
            },
          },
          t(`set.${each}`),
        ),
      ),
    );
    fill(host, matrix(bySet[set]));
  }

  show(sets[0]);
  return [choices, host, h("p", { class: "soft" }, t("ui.run.confusion_how"))];
}

function matrix(counts) {
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
