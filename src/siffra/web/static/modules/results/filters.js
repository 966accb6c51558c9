// Conditions on runs: each a chip in the page's own words, with a row to add one more.

import { fill, h, refill } from "../dom.js";
import { has, t } from "../words.js";
import { columnName } from "./sets.js";

const SIGNS = [
  ["=", "="],
  ["!=", "≠"],
  [">", ">"],
  [">=", "≥"],
  ["<", "<"],
  ["<=", "≤"],
];
const MOST = 10;

/** The filters in `host`; `chosen(where)` with all conditions, as the server takes them. */
export function filters(host, chosen) {
  const chips = h("ul", { class: "chips" });
  const column = h("select", { id: "where", "aria-label": t("ui.runs.column"), onchange: suggest });
  const sign = h(
    "select",
    { "aria-label": t("ui.runs.sign") },
    SIGNS.map(([value, text]) => h("option", { value }, text)),
  );
  const known = h("datalist", { id: "where-values" });
  const value = h("input", {
    class: "count",
    list: "where-values",
    autocomplete: "off",
    required: true,
    "aria-label": t("ui.runs.value"),
  });
  let where = [];
  let rows = [];
  fill(
    host,
    h(
      "form",
      { class: "row", role: "search", "aria-label": t("ui.runs.where"), onsubmit: add },
      h("span", { "aria-hidden": "true" }, t("ui.runs.where")),
      column,
      sign,
      value,
      known,
      h("button", { type: "submit", class: "small" }, t("ui.runs.add")),
    ),
    chips,
  );

  // What is chosen holds at once: the next condition may come before the server's answer.
  function changed(next) {
    where = next;
    chosen(next);
  }

  function add(event) {
    event.preventDefault();
    const text = value.value.trim();
    if (!text || where.length === MOST) return;
    value.value = "";
    changed([...where.filter((each) => each !== column.value + sign.value + text), column.value + sign.value + text]);
  }

  /** Show the conditions `next`, and offer these `columns` with the values that `shown` runs have. */
  function show(next, columns, shown) {
    [where, rows] = [next, shown];
    const now = column.value;
    refill(column, columns, () =>
      columns.map((name) => h("option", { value: name, selected: name === now }, columnName(name))),
    );
    suggest();
    refill(chips, where, () => [...where.map(chip), where.length > 1 && h("li", {}, clear())]);
  }

  function suggest() {
    const values = new Set(rows.map((row) => row[column.value]).filter((each) => typeof each === "string"));
    fill(known, [...values].map((each) => h("option", { value: each }, valueName(each))));
  }

  function chip(condition) {
    const text = inWords(condition);
    const drop = () => changed(where.filter((each) => each !== condition));
    return h(
      "li",
      { class: "chip" },
      text,
      h("button", { type: "button", "aria-label": t("ui.runs.drop", { condition: text }), onclick: drop }, "×"),
    );
  }

  function clear() {
    return h("button", { type: "button", class: "plain small", onclick: () => changed([]) }, t("ui.runs.clear"));
  }

  return { show, clear };
}

/** `learning_rate>0.1` as the page says it: "learning rate > 0.1". */
export function inWords(condition) {
  const [, name, sign, value] = condition.match(/^\s*([^<>=!]+?)\s*(<=|>=|!=|=|<|>)\s*(.*)$/) ?? [];
  if (!name) return condition;
  return `${columnName(name)} ${Object.fromEntries(SIGNS)[sign]} ${valueName(value)}`;
}

function valueName(value) {
  return has(`value.${value}`) ? t(`value.${value}`) : value;
}
