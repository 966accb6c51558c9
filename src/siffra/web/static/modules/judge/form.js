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
    pairBy: said.pair_by ?? told.pair_by ?? [],
  };
  const listed = [...told.columns, ...now.by, ...now.pairBy, now.metric];
  const columns = [...new Set(listed)].filter(Boolean);
  const change = (changed) => correct({ ...said, ...changed });
  // Another metric has its own better values, and other levels another baseline.
  const take = (name) => change({ metric: name, better: undefined, margin: undefined });
  const compare = (by) => change({ by: by.length ? by : undefined, baseline: undefined });
  const pair = (by) => change({ pair_by: by.length ? by : undefined });
  const seeds = columns.includes("none") ? columns : ["none", ...columns];
  fill(
    host,
    boxes("by", columns, now.by, compare),
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
    field("where", whereField(said.where, (where) => change({ where, baseline: undefined }))),
    boxes("pair_by", columns, now.pairBy, pair),
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
  const option = key === "better" ? "" : `--${key.replace("_", "-")}`;
  return [t(`ui.judge.${key}`), option && " ", option && h("code", {}, option)];
}

function field(key, control) {
  return h("label", {}, h("span", {}, name(key)), control);
}

function boxes(key, columns, now, choose) {
  const box = (column, index) => {
    const toggle = (event) => {
      const others = now.filter((each) => each !== column);
      choose(event.target.checked ? [...others, column] : others);
    };
    const checked = now.includes(column);
    const id = `judge-${key}-${index}`;
    return h("label", {}, h("input", { type: "checkbox", id, checked, onchange: toggle }), column);
  };
  const each = h("div", { class: "boxes" }, columns.map(box));
  return h("fieldset", {}, h("legend", {}, name(key)), each);
}

function whereField(now, choose) {
  const lines = () => input.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const input = h("textarea", {
    id: "judge-where",
    rows: 2,
    placeholder: t("ui.judge.condition"),
    onchange: () => choose(lines().length ? lines() : undefined),
  });
  input.value = (now ?? []).join("\n");
  return input;
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
