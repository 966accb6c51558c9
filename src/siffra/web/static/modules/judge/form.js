// What the columns of a table were taken for, and the fields that say otherwise.

import { h, keeping, refill } from "../dom.js";
import { t } from "../words.js";

/**
 * The fields in `host`. `said()` is what was corrected so far, and `correct(changed)` hears what is
 * said beside. Returns `show(told, said)` for what the server told of the table: a field is drawn
 * anew if that changes it, and so none into which somebody types.
 */
export function corrections(host, said, correct) {
  const slots = new Map();

  function slot(key, mark, make) {
    if (!slots.has(key)) {
      const place = h("div", { onchange: () => (slots.get(key).touched += 1) });
      slots.set(key, { place, touched: 0 });
      host.append(place);
    }
    const { place, touched } = slots.get(key);
    place.hidden = !mark;
    refill(place, [touched, mark], () => mark && make());
  }

  return (told, now) => keeping(host, () => show(told, now));

  function show(told, now) {
    const [question] = told.questions ?? [];
    const metric = question?.metrics[0];
    const by = now.by ?? question?.vary ?? [];
    const seed = now.seed ?? (question ? (told.seed ?? "none") : "");
    const name = now.metric ?? metric?.name ?? "";
    const better = now.better ?? metric?.better ?? "";
    const pairBy = now.pair_by ?? told.pair_by ?? [];
    const columns = [...new Set([...told.columns, ...by, ...pairBy, name])].filter(Boolean);
    const seeds = columns.includes("none") ? columns : ["none", ...columns];
    const seedName = (column) =>
      column === "none" && !told.columns.includes("none") ? t("ui.judge.none") : column;
    const levels = question?.levels.map((level) => level.name);

    slot("by", [columns, by], () =>
      boxes("by", columns, by, (next) => correct({ by: next.length ? next : undefined, baseline: undefined })),
    );
    slot("seed", [seeds, seed], () =>
      field("seed", choice("judge-seed", seeds, seed, (next) => correct({ seed: next }), seedName)),
    );
    // Another metric has its own better values, and other levels another baseline.
    const take = (next) => correct({ metric: next, better: undefined, margin: undefined });
    slot("metric", [columns, name], () => field("metric", choice("judge-metric", columns, name, take)));
    const prefer = (next) => correct({ metric: said().metric ?? name, better: next });
    const inWords = (value) => t(`ui.judge.${value}`);
    slot("better", [name, better], () =>
      field("better", choice("judge-better", ["higher", "lower"], better, prefer, inWords)),
    );
    slot("margin", [now.margin], () =>
      field("margin", marginField(now.margin ?? "", (margin) => correct({ margin }))),
    );
    slot("where", [now.where], () =>
      field("where", whereField(now.where, (where) => correct({ where, baseline: undefined }))),
    );
    slot("pair_by", [columns, pairBy], () =>
      boxes("pair_by", columns, pairBy, (next) => correct({ pair_by: next.length ? next : undefined })),
    );
    slot("baseline", levels && [levels], () =>
      field("baseline", baselineField(question, (baseline) => correct({ baseline }))),
    );
    const known = Object.keys(now).filter((key) => now[key] !== undefined);
    const reset = () => correct(Object.fromEntries(Object.keys(said()).map((key) => [key, undefined])));
    slot("reset", known.length > 0 && [known.length > 0], () =>
      h("button", { id: "judge-reset", type: "button", class: "small", onclick: reset }, t("ui.judge.reset")),
    );
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
  let chosen = now;
  const box = (column, index) => {
    const toggle = (event) => {
      const others = chosen.filter((each) => each !== column);
      chosen = event.target.checked ? [...others, column] : others;
      choose(chosen);
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
