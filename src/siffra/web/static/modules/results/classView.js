// The labs of the store as a class: a row a claim, a column a lab, as `siffra report --class` has it.

import { onJobs } from "../jobs.js";
import { fill, h, refill } from "../dom.js";
import { to } from "../route.js";
import { get, tellRefusal } from "../server.js";
import { language, t } from "../words.js";

const KEYS = ["supported", "refuted", "no_difference", "inconclusive", "not_tested"];

/** The view in `main`. Returns what ends it. */
export function classView(main) {
  const refusal = h("p", { class: "refusal", role: "alert" });
  const table = h("div", { class: "class" });
  let over = false;
  fill(
    main,
    h("p", { class: "eyebrow" }, h("a", { href: to(["labs"]) }, t("ui.nav.labs"))),
    h("h1", {}, t("class.head")),
    refusal,
    table,
  );

  async function load() {
    try {
      const found = await get(`api/labs/class?lang=${language()}`);
      if (!over) refill(table, found, () => drawn(found));
    } catch (error) {
      tellRefusal(refusal, error);
    }
  }

  const stop = onJobs((kind, data) => (kind === "lab" || (kind === "link" && data)) && load());
  load();
  return () => {
    over = true;
    stop();
  };
}

function drawn(found) {
  if (!found.labs.length) return [h("p", { class: "soft" }, t("ui.labs.none"))];
  return [
    h("p", { class: "answer" }, found.summary),
    [...found.unlike, ...found.notes].map((line) => h("p", { class: "soft" }, line)),
    found.questions.length ? claims(found) : null,
    found.alone.length
      ? h("section", {}, h("h2", {}, t("class.alone")), h("ul", { class: "alone" }, found.alone.map(lone(found))))
      : null,
  ];
}

function claims({ labs, questions }) {
  const head = h(
    "tr",
    {},
    h("th", { scope: "col" }, t("class.claim")),
    h("th", { scope: "col", class: "pool" }, t("class.supported")),
    labs.map((lab) => h("th", { scope: "col", class: "lab" }, h("a", { href: lab.link }, lab.name))),
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
      question.rows.map((row) => line(row, labs)),
    ),
  );
  return h(
    "section",
    {},
    h("h2", {}, t("class.claims_head")),
    h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": t("class.head") }, h("table", {}, h("thead", {}, head), body)),
    h(
      "p",
      { class: "keys" },
      KEYS.map((code) => h("span", {}, h("span", { class: `cell ${code}`, "aria-hidden": "true" }), ` ${t(`verdict.${code}`)}`)),
    ),
    h("p", { class: "soft" }, t("class.legend")),
  );
}

function line(row, labs) {
  const pooled = row.tested ? t("class.of", { k: row.supported, n: row.tested }) : "–";
  return h(
    "tr",
    {},
    h("th", { scope: "row" }, row.say, row.by && h("span", { class: "soft" }, ` (${row.by})`)),
    h(
      "td",
      { class: "pool" },
      pooled,
      row.disagrees && h("span", { title: t("class.differing") }, " ≠"),
      row.runs_text && [h("br"), h("span", { class: "soft" }, row.runs_text)],
    ),
    row.cells.map((cell, i) => h("td", {}, cell && mark(cell, labs[i].name))),
  );
}

function mark(cell, whose) {
  const apart = cell.differs ? ` (${t("class.differs", { differs: cell.differs })})` : "";
  const told = `${whose}: ${cell.verdict_text}${apart}`;
  return h("a", {
    class: `cell ${cell.code}${cell.differs ? " apart" : ""}`,
    href: cell.link,
    "aria-label": told,
    title: cell.evidence ? `${told}: ${cell.evidence}` : told,
  });
}

const lone =
  ({ labs }) =>
  ({ lab, say, cell }) =>
    h("li", {}, mark(cell, labs[lab].name), ` ${labs[lab].name}: ${say}`);
