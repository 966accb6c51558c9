// What is told of a lab in a line: verdicts, as the report shows them, its state, what it costs.

import { h } from "../dom.js";
import { count, has, span, t } from "../words.js";

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

/** How many claims of `lab` came out how: `{ supported: 2, … }`. Where nobody claimed anything, what
 *  a level is stands in the place of verdicts, as on the lab's card. */
export function tally(counts, { ad_hoc: isUnclaimed }) {
  const counted = Object.entries(counts).filter(([, n]) => n);
  if (!counted.length) return null;
  const named = (code) => {
    const own = `unclaimed.verdict.${code}`;
    return t(isUnclaimed && has(own) ? own : `verdict.${code}`);
  };
  return h(
    "ul",
    { class: "tally" },
    counted.map(([code, n]) => h("li", {}, badge(code, `${named(code)} · ${n}`))),
  );
}

/** Whether runs of `lab` are still to come without anybody's doing. */
export function isComing(lab) {
  return ["queued", "running", "paused"].includes(lab.state);
}

/** A lab's state in a word. */
export function stateBadge(state) {
  return h("span", { class: `badge plain state-${state}` }, t(`ui.state.${state}`));
}

/** What a lab will cost; of one with a budget, of which more than its first look is paid. */
export function costText({ runs, have, seconds, seconds_most: most, looks }) {
  const cost = have === runs ? t("ui.ask.all_there", { runs }) : count("ui.ask.cost", runs, { time: span(seconds, most) });
  const some = have > 0 && have < runs && count("ui.ask.some_there", have);
  return [cost, some, looks].filter(Boolean).join(" ");
}
