// The labs of the store as a class: a row a claim, a column a lab, as `siffra report --class` has it.

import { onJobs } from "../jobs.js";
import { fill, h, refill, scroller } from "../dom.js";
import { to } from "../route.js";
import { get, oneAtATime, tellRefusal } from "../server.js";
import { count, language, t } from "../words.js";

const KEYS = ["supported", "likely_supported", "refuted", "no_difference", "inconclusive", "not_tested"];
// From left to right, where the labs are in the order of a claim's verdicts.
const ORDER = [
  "supported",
  "likely_supported",
  "no_difference",
  "likely_no_difference",
  "inconclusive",
  "likely_refuted",
  "refuted",
  "not_tested",
];

/** The view in `main`. Returns what ends it. */
export function classView(main) {
  const refusal = h("p", { class: "refusal", role: "alert" });
  const table = h("div", { class: "class" }, h("div", { class: "skeleton" }));
  let found = null;
  let by = ""; // the claim that the labs are in the order of; none: by their names
  fill(
    main,
    h("p", { class: "eyebrow" }, h("a", { href: to(["labs"]) }, t("ui.nav.labs"))),
    h("h1", {}, t("class.head")),
    refusal,
    table,
  );

  const load = oneAtATime(
    async () => {
      try {
        found = await get(`api/labs/class?lang=${language()}`);
        fill(refusal);
        draw();
      } catch (error) {
        if (!found) fill(table);
        tellRefusal(refusal, error);
      }
    },
    { rests: true },
  );

  function draw() {
    refill(table, [found, by], () => drawn(found, by, orderBy));
  }

  function orderBy(row) {
    by = by === row ? "" : row;
    draw();
  }

  const stop = onJobs((kind, data) => (kind === "lab" || (kind === "link" && data)) && load());
  load();
  return stop;
}

function drawn(found, by, orderBy) {
  if (!found.labs.length) return [h("p", { class: "soft" }, t("ui.labs.none"))];
  return [
    h("p", { class: "answer" }, found.summary),
    [...found.unlike, ...found.notes].map((line) => h("p", { class: "soft" }, line)),
    found.questions.length ? claims(found, by, orderBy) : null,
    found.alone.length
      ? h("section", {}, h("h2", {}, t("class.alone")), h("ul", { class: "alone" }, found.alone.map(lone(found))))
      : null,
  ];
}

function claims({ labs, questions }, by, orderBy) {
  const name = (question, i) => `${question.label}-${i}`;
  const chosen = questions.flatMap((question) => question.rows.filter((_, i) => name(question, i) === by));
  const order = ordered(labs, chosen[0]?.cells);
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, t("class.claim")),
    h("th", { scope: "col", class: "pool" }, t("class.supported")),
    order.map((i) => whose(labs[i])),
  );
  const body = questions.map((question) =>
    h(
      "tbody",
      {},
      h(
        "tr",
        {},
        h("th", { class: "ask", scope: "rowgroup", colspan: labs.length + 2 }, h("span", {}, `${question.label}. ${question.ask}`)),
      ),
      question.rows.map((row, i) => {
        const named = name(question, i);
        const choose = {
          type: "button",
          class: "sort",
          "data-row": named,
          "aria-pressed": String(named === by),
          title: t("ui.class.order"),
          onclick: () => orderBy(named),
        };
        return line(row, labs, order, h("button", choose, row.say));
      }),
    ),
  );
  return h(
    "section",
    {},
    h("h2", {}, t("class.claims_head")),
    scroller(t("class.claims_head"), h("table", {}, h("thead", {}, head), body)),
    h(
      "p",
      { class: "keys" },
      KEYS.map((code) => h("span", {}, h("span", { class: `cell ${code}`, "aria-hidden": "true" }), ` ${t(`verdict.${code}`)}`)),
    ),
    h("p", { class: "soft" }, t("class.legend"), labs.length > 1 && ` ${t("ui.class.order_how")}`),
  );
}

/** The labs' numbers in the order of their `cells`, or as they are; those not counted come last. */
function ordered(labs, cells) {
  const numbers = labs.map((_, i) => i);
  if (!cells) return numbers;
  const rank = (cell) =>
    cell ? ORDER.indexOf(cell.code) + (cell.differs ? ORDER.length : 0) : 2 * ORDER.length;
  return numbers.sort((a, b) => rank(cells[a]) - rank(cells[b]));
}

function whose(lab) {
  const title = lab.missing ? `${lab.name}: ${count("head.incomplete", lab.missing)}` : lab.name;
  return h(
    "th",
    { scope: "col", class: `lab${lab.missing ? " unfinished" : ""}` },
    h("a", { href: lab.link, title }, lab.name),
  );
}

function line(row, labs, order, say) {
  const pooled = row.tested ? t("class.of", { k: row.supported, n: row.tested }) : "–";
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, say, row.by && h("span", { class: "soft" }, ` (${row.by})`)),
    h(
      "td",
      { class: "pool" },
      pooled,
      row.disagrees &&
        h("span", { role: "img", "aria-label": t("class.differing"), title: t("class.differing") }, " ≠"),
      row.runs_text && [h("br"), h("span", { class: "soft" }, row.runs_text)],
    ),
    order.map((i) => h("td", {}, row.cells[i] && mark(row.cells[i], labs[i].name))),
  );
}

function mark(cell, whose) {
  const apart = cell.differs ? ` (${t("class.differs", { differs: cell.differs })})` : "";
  const label = `${whose}: ${cell.verdict_text}${apart}`;
  return h("a", {
    class: `cell ${cell.code}${cell.differs ? " apart" : ""}`,
    href: cell.link,
    "aria-label": label,
    title: cell.evidence ? `${label}: ${cell.evidence}` : label,
  });
}

const lone =
  ({ labs }) =>
  ({ lab, say, cell }) =>
    h("li", {}, mark(cell, labs[lab].name), ` ${labs[lab].name}: ${say}`);
