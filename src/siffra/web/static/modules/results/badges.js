// Verdicts as the report shows them: a colour, a sign and a word.

import { h } from "../dom.js";
import { t } from "../words.js";

/** A verdict's badge; dashed while it may still change. */
export function badge(code, text, { provisional = false } = {}) {
  return h("span", { class: `badge ${code}${provisional ? " provisional" : ""}` }, text);
}

/** A claim's verdict and grade as a word for style: `not-yet` while it has too few runs for any. */
export function verdictCode(lab, claim) {
  const early = lab.missing > 0 && claim.reason === "too few seeds";
  if (early) return "not-yet";
  return `${claim.grade === "likely" ? "likely_" : ""}${claim.verdict.replace(" ", "_")}`;
}

/** How many claims came out how: `{ supported: 2, … }`. */
export function tally(counts) {
  const some = Object.entries(counts).filter(([, n]) => n);
  if (!some.length) return null;
  return h(
    "ul",
    { class: "tally" },
    some.map(([code, n]) => h("li", {}, badge(code, `${t(`verdict.${code}`)} · ${n}`))),
  );
}

/** A lab's state in a word. */
export function stateBadge(state) {
  return h("span", { class: `badge plain state-${state}` }, t(`ui.state.${state}`));
}
