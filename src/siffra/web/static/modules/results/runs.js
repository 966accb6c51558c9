// Runs: all of them in a table that sorts, filters and exports; one in full; several compared.

import { fill, h, keeping, refill, say } from "../dom.js";
import { go, remember, to } from "../route.js";
import { get, latest, tellRefusal } from "../server.js";
import { has, language, measure, moment, number, t } from "../words.js";
import { MOST, compareView } from "./compare.js";
import { filters, inWords } from "./filters.js";
import { runView } from "./run.js";
import { columnName } from "./sets.js";

const PAGE = 50;
const SHOWN = [
  "model",
  "learning_rate",
  "batch_size",
  "epochs",
  "layers",
  "neurons",
  "filters",
  "kernel_size",
  "strides",
  "optimizer",
  "seed",
  "test",
  "moved",
  "rotated",
];
const LAST = ["seconds", "failure", "finished"];

/** The view in `main`: `#/runs?…`, `#/runs/KEY`, or `#/runs/KEY/KEY/…`. Returns what ends it. */
export function runs(main, { path, query }) {
  const [, ...keys] = path;
  if (keys.length > 1) return compareView(main, keys);
  return keys.length ? runView(main, keys[0]) : tableView(main, query);
}

function tableView(main, query) {
  const state = {
    where: query.getAll("where"),
    sort: query.get("sort") ?? "finished",
    order: query.get("order") ?? "desc",
    offset: Math.max(0, Number(query.get("offset")) || 0),
    picked: query.getAll("pick").slice(0, MOST),
  };
  const matches = h("p", { class: "soft", role: "status" });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const filtersHost = h("div", { class: "filters" });
  const table = h("div", { class: "scroll" });
  const pages = h("div", { class: "row" });
  const exports = h("div", { class: "row" });
  const compare = h("div", { class: "row compare-bar", role: "status" });
  const filter = filters(filtersHost, (where) => change({ where, offset: 0 }));
  fill(
    main,
    h("h1", {}, t("ui.runs.title")),
    filtersHost,
    refusal,
    h("div", { class: "row under-filters" }, matches, exports, compare),
    table,
    pages,
  );
  const newest = latest();
  load();

  function change(next) {
    Object.assign(state, next);
    const address = new URLSearchParams();
    for (const each of state.where) address.append("where", each);
    for (const each of state.picked) address.append("pick", each);
    for (const name of ["sort", "order", "offset"]) if (state[name]) address.set(name, state[name]);
    remember(address);
    load();
  }

  async function load() {
    const asked = new URLSearchParams({
      sort: state.sort,
      order: state.order,
      limit: PAGE,
      offset: state.offset,
      lang: language(),
    });
    for (const each of state.where) asked.append("where", each);
    try {
      const answer = await newest(get(`api/runs?${asked}`));
      refusal.textContent = "";
      const last = PAGE * Math.max(0, Math.ceil(answer.matching / PAGE) - 1);
      if (state.offset > last) change({ offset: last });
      else keeping(main, () => draw(answer));
    } catch (error) {
      tellRefusal(refusal, error);
    }
  }

  function draw(answer) {
    say(matches, t("ui.runs.found", { matching: answer.matching, total: answer.total }));
    refill(exports, state.where, () =>
      ["csv", "parquet"].map((kind) => {
        const where = new URLSearchParams(state.where.map((each) => ["where", each]));
        return h(
          "a",
          { class: "button small", href: `api/runs.${kind}?${where}`, download: `runs.${kind}` },
          t(`ui.runs.${kind}`),
        );
      }),
    );
    filter.show(state.where, [...SHOWN, ...answer.own, ...LAST, "dataset"].filter((name) => answer.columns.includes(name) || answer.own.includes(name)), answer.runs);
    const used = (name) => answer.runs.some((run) => run[name] !== null && run[name] !== undefined);
    // A program's own knobs and metrics stand where those of networks do.
    const columns = [...SHOWN, ...answer.own, ...LAST].filter(
      (name) => used(name) || name === state.sort,
    );
    if (!answer.runs.length) {
      const asked = state.where.map(inWords).join(", ");
      fill(
        table,
        state.where.length
          ? h("p", {}, t("ui.runs.nothing", { where: asked }), " ", filter.clear())
          : h("p", {}, t("ui.runs.none")),
      );
      drawCompare();
      fill(pages);
      return;
    }
    fill(
      table,
      h(
        "table",
        { class: "runs" },
        h(
          "thead",
          {},
          h(
            "tr",
            {},
            h("th", {}, h("span", { class: "unseen" }, t("ui.runs.pick"))),
            columns.map(heading),
            h("th", { scope: "col" }, t("ui.runs.question")),
          ),
        ),
        h(
          "tbody",
          {},
          answer.runs.map((run) => row(run, columns, answer.labs[run.key])),
        ),
      ),
    );
    drawCompare();
    fill(
      pages,
      turn("earlier", -PAGE, state.offset === 0),
      answer.matching > PAGE &&
        h(
          "span",
          { class: "soft" },
          t("ui.runs.page", {
            from: state.offset + 1,
            to: Math.min(state.offset + PAGE, answer.matching),
            of: answer.matching,
          }),
        ),
      turn("later", PAGE, state.offset + PAGE >= answer.matching),
    );
    pages.hidden = answer.matching <= PAGE;
  }

  function heading(name) {
    const sorted = state.sort === name;
    const by = () => {
      const order = state.sort === name && state.order === "desc" ? "asc" : "desc";
      change({ sort: name, order, offset: 0 });
    };
    const direction = sorted ? (state.order === "desc" ? "descending" : "ascending") : null;
    return h(
      "th",
      { scope: "col", "aria-sort": direction },
      h(
        "button",
        { type: "button", class: "sort", "data-column": name, onclick: by },
        columnName(name),
      ),
    );
  }

  function row(run, columns, lab) {
    const pick = (event) => {
      const others = state.picked.filter((key) => key !== run.key);
      state.picked = event.target.checked ? [...others, run.key].slice(-MOST) : others;
      for (const box of table.querySelectorAll("input"))
        box.checked = state.picked.includes(box.value);
      drawCompare();
    };
    const box = h("input", {
      type: "checkbox",
      checked: state.picked.includes(run.key),
      onchange: pick,
      "aria-label": t("ui.runs.pick_one", { seed: run.seed }),
    });
    box.value = run.key;
    // A click anywhere opens it, but for what has a purpose of its own or marks text.
    const open = (event) => {
      const isOwn = event.target.closest("a, input, label") || String(getSelection());
      if (!isOwn) go(["runs", run.key]);
    };
    return h(
      "tr",
      { onclick: open },
      h("td", {}, h("label", {}, box)),
      columns.map((name, i) => {
        const first = i === 0 && (run[name] ?? null) === null; // a program's run has no model
        const text = first ? run.key.slice(0, 8) : cellText(name, run[name]);
        const shown = i === 0 ? h("a", { href: to(["runs", run.key]) }, text) : text;
        return h(
          "td",
          { class: typeof run[name] === "number" ? "number" : null },
          shown,
          (name === "test" && run.diverged) || (name === "seconds" && run.busy) ? " ⚠" : null,
        );
      }),
      h("td", {}, lab && h("a", { href: to(["labs", lab.id]) }, lab.title)),
    );
  }

  function drawCompare() {
    fill(
      compare,
      state.picked.length > 1
        ? h(
            "a",
            { class: "button small", href: to(["runs", ...state.picked]) },
            t("ui.runs.compare", { n: state.picked.length }),
          )
        : h("span", { class: "soft" }, t("ui.runs.pick_some", { most: MOST })),
    );
  }

  function turn(name, by, disabled) {
    return h(
      "button",
      {
        type: "button",
        class: "small",
        disabled,
        onclick: () => change({ offset: Math.max(0, state.offset + by) }),
      },
      t(`ui.runs.${name}`),
    );
  }
}

function cellText(name, value) {
  if (value === null || value === undefined) return "–";
  if (has(`set.${name}`)) return number(100 * value, 2);
  if (name === "seconds") return number(value, 2);
  if (name === "finished") return moment(value, { dateStyle: "short", timeStyle: "short" });
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value === "string" && has(`value.${value}`)) return t(`value.${value}`);
  return typeof value === "number" ? measure(value) : String(value);
}
