// What the columns of a table were taken for, and the fields that say otherwise.

import { fill, h } from "../dom.js";
import { t } from "../words.js";

/**
 * The fields in `host`, for what the server `told` of the table. `said` is what was corrected so
 * far; `correct(said)` hears what is said instead.
 */
export function corrections(host, told, said, correct) {
  const focused = host.contains(document.activeElement) && document.activeElement.id;
  const [question] = told.questions ?? [];
  const metric = question?.metrics[0];
  const now = {
    by: said.by ?? question?.vary ?? [],
    seed: said.seed ?? (question ? (told.seed ?? "none") : ""),
    metric: said.metric ?? metric?.name ?? "",
    better: said.better ?? metric?.better ?? "",
    margin: said.margin ?? "",
  };
  const columns = [...new Set([...told.columns, ...now.by, now.metric])].filter(Boolean);
  const change = (changed) => correct({ ...said, ...changed });
  // Another metric has its own better values, and other levels another baseline.
  const take = (name) => change({ metric: name, better: undefined, margin: undefined });
  const compare = (by) => change({ by: by.length ? by : undefined, baseline: undefined });
  const seeds = columns.includes("none") ? columns : ["none", ...columns];
  fill(
    host,
    byField(columns, now.by, compare),
    field("seed", choice("judge-seed", seeds, now.seed, (seed) => change({ seed }), seedName)),
    field("metric", choice("judge-metric", columns, now.metric, take)),
    field(
      "better",
      choice(
        "judge-better",
        ["higher", "lower"],
        now.better,
        (better) => change({ metric: now.metric, better }),
        (value) => t(`ui.judge.${value}`),
      ),
    ),
    field("margin", marginField(now.margin, (margin) => change({ margin }))),
    question && field("baseline", baselineField(question, (baseline) => change({ baseline }))),
    Object.values(said).some((value) => value !== undefined) &&
      h(
        "button",
        { id: "judge-reset", type: "button", class: "small", onclick: () => correct({}) },
        t("ui.judge.reset"),
      ),
  );
  if (focused) (document.getElementById(focused) ?? host.querySelector("select")).focus();

  function seedName(column) {
    return column === "none" && !told.columns.includes("none") ? t("ui.judge.none") : column;
  }
}

// The option by which `siffra judge` is told the same, and of which its messages speak.
function name(key) {
  const option = { better: "", by: "--by" }[key] ?? `--${key}`;
  return [t(`ui.judge.${key}`), option && " ", option && h("code", {}, option)];
}

function field(key, control) {
  return h("label", {}, h("span", {}, name(key)), control);
}

function byField(columns, now, compare) {
  const box = (column, index) => {
    const toggle = (event) => {
      const others = now.filter((each) => each !== column);
      compare(event.target.checked ? [...others, column] : others);
    };
    const checked = now.includes(column);
    const id = `judge-by-${index}`;
    return h("label", {}, h("input", { type: "checkbox", id, checked, onchange: toggle }), column);
  };
  const boxes = h("div", { class: "boxes" }, columns.map(box));
  return h("fieldset", {}, h("legend", {}, name("by")), boxes);
}

function choice(id, values, now, choose, named = (value) => value) {
  const shown = values.includes(now) ? values : ["", ...values];
  const option = (value) =>
    h("option", { value, selected: value === now }, value ? named(value) : t("ui.judge.unsaid"));
  return h("select", { id, onchange: (event) => choose(event.target.value) }, shown.map(option));
}

function marginField(now, choose) {
  const input = h("input", {
    id: "judge-margin",
    type: "number",
    min: 0,
    step: "any",
    value: now,
    placeholder: t("ui.judge.none"),
    onchange: () => choose(input.value === "" ? undefined : Number(input.value)),
  });
  return input;
}

function baselineField(question, choose) {
  const names = question.levels.map((level) => level.name);
  const first = names.map((_, index) => String(index));
  const knobs = (index) => question.levels[index].knobs;
  return choice("judge-baseline", first, "0", (index) => choose(knobs(index)), (index) => names[index]);
}
