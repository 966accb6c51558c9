// The answer as a card: for each claim its estimate, interval and verdict, and its seeds as dots.

import { difference, scaleOf } from "../charts/difference.js";
import { h } from "../dom.js";
import { capital, count, t } from "../words.js";
import { badge, isComing, verdictCode } from "./badges.js";

const OPEN = 4; // so many claims stand on the card; the others are folded
const MOST_DOTS = 24;

/** The card of `question` in `lab`. */
export function answerCard(lab, question) {
  const claims = question.claims.map((claim) => claimRow(lab, question, claim));
  const more = claims.slice(OPEN);
  return h(
    "div",
    { class: `card${lab.provisional ? " provisional" : ""}` },
    lab.have > 0 && h("p", { class: "answer" }, finding(question)),
    claims.length > 0 && h("ol", { class: "claims" }, claims.slice(0, OPEN)),
    more.length > 0 &&
      h(
        "details",
        {},
        h("summary", {}, count("ui.card.more", more.length)),
        h("ol", { class: "claims", start: OPEN + 1 }, more),
      ),
    lab.provisional && lab.have > 0 && h("p", { class: "soft" }, count("head.incomplete", lab.runs - lab.have)),
    lab.provisional && !lab.have && isComing(lab) && h("p", { class: "soft" }, t("ui.card.waiting")),
  );
}

// The answer but for what the claims say below.
function finding({ answer, lead, claims }) {
  return (claims.length && answer.startsWith(lead) && answer.slice(lead.length).trim()) || answer;
}

function claimRow(lab, question, claim) {
  const code = verdictCode(lab, claim);
  const early = code === "not-yet";
  const alike = question.claims.filter(
    ({ scale, metric, estimate }) => scale === claim.scale && metric === claim.metric && estimate !== null,
  );
  const measured = claim.estimate !== null && claim.estimate_text;
  return h(
    "li",
    {},
    !lab.ad_hoc && claim.say && h("p", { class: "say" }, claim.say),
    h("p", { class: "compared" }, claim.named ? claim.compared : capital(claim.compared)), // a metric keeps its own name
    h(
      "div",
      { class: "found" },
      measured
        ? h(
            "div",
            { class: "figures" },
            h("p", { class: "estimate" }, claim.estimate_text),
            claim.interval_text &&
              h("p", { class: "soft" }, t("ui.card.interval", { level: `${claim.confidence_text} %`, interval: claim.interval_text })),
          )
        : !early && claim.evidence && h("p", {}, `${capital(claim.evidence)}.`),
      measured && difference(claim, scaleOf(alike), claim.evidence, t("ui.card.none")),
      h(
        "div",
        { class: "verdict" },
        !early && badge(code, claim.verdict_text, { provisional: lab.provisional }),
        seeds(lab, question, claim),
      ),
    ),
    measured && !early && h("p", { class: "soft" }, rest(claim)),
  );
}

// What there is to be said beside estimate, interval and seeds.
function rest(claim) {
  const known = claim.evidence.startsWith(claim.estimate_text) ? claim.evidence.indexOf(")") + 1 : 0;
  const more = claim.evidence.slice(known).replace(/^; /, "");
  return [more && `${capital(more)}.`, claim.margin_text, claim.reported && `${t("claim.reported")}: ${claim.reported}.`]
    .filter(Boolean)
    .join(" ");
}

/** The seeds that a claim rests on, filled, of those that it will; `live` marks the one at work. */
function seeds(lab, question, claim) {
  const sides = [...claim.level, ...(Array.isArray(claim.against) ? claim.against : [])];
  const have = Math.min(...sides.map((index) => question.levels[index].n));
  const total = Math.max(lab.seeds.length, have);
  if (!total) return null;
  const dots = total <= MOST_DOTS && [...Array(total).keys()].map((i) => h("i", { class: i < have ? "in" : null }));
  return h(
    "p",
    { class: "seeds", "data-levels": sides.join(" ") },
    dots && h("span", { class: "dots", "aria-hidden": "true" }, dots),
    h("span", { class: "soft" }, count("ui.card.seeds", total, { have })),
  );
}
