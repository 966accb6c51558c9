// One lab in full: how far it has come, what it found, and every question with its curves.

import { fill, h, refill, say, scroller } from "../dom.js";
import { refusalOf } from "../server.js";
import { to } from "../route.js";
import { language, t } from "../words.js";
import { tally, verdictCode } from "./badges.js";
import { curvesOf, followLab } from "./feed.js";
import { questionView } from "./question.js";
import { repeat } from "./repeat.js";
import { status } from "./status.js";
import { testSetsIn } from "./sets.js";

/** The lab `id` in `main`, the question that `query` names opened. Returns what ends it. */
export function labView(main, id, query) {
  const title = h("h1");
  const statusHost = h("div", { class: "status" });
  const summary = h("p", { class: "answer" });
  const notes = h("p", { class: "soft" });
  const tallyHost = h("div");
  const links = h("p", { class: "row" });
  const notice = h("p", { class: "soft", role: "status" });
  const questions = h("div", { class: "questions" });
  const rest = h("div");
  const update = status(statusHost, id);
  const open = new Map(); // question views by question id
  let lab = null;
  fill(
    main,
    h("p", { class: "eyebrow" }, h("a", { href: to(["labs"]) }, t("ui.nav.labs"))),
    title,
    statusHost,
    summary,
    notes,
    tallyHost,
    links,
    notice,
    questions,
    rest,
  );

  async function heard(next) {
    const first = !lab;
    lab = next;
    say(title, lab.title);
    say(summary, lab.summary);
    summary.hidden = !lab.have;
    say(notes, [lab.shortened?.text, lab.course_text, lab.busy_text].filter(Boolean).join(" "));
    refill(tallyHost, lab.tally, () => tally(lab.tally, lab));
    refill(
      links,
      lab.have > 0,
      () =>
        lab.have > 0 &&
        h(
          "a",
          {
            class: "button",
            href: `api/labs/${id}/report?lang=${language()}`,
            target: "_blank",
            rel: "noopener",
            onclick: () => say(notice, t("ui.labs.writing")), // the tab is empty until it is written
          },
          t("ui.labs.report"),
        ),
    );
    update(lab);
    if (first) {
      fill(questions, lab.questions.map(section));
      fill(rest, experiments(), h("section", {}, h("h2", {}, t("head.repeat")), repeat(lab)));
    }
    for (const question of lab.questions) refreshSummary(question);
    if (first) openNamed();
    await Promise.all([...open.keys()].map(refresh));
  }

  function openNamed() {
    const name = CSS.escape(query.get("question") ?? "");
    const details = questions.querySelector(`[data-question="${name}"]`);
    if (!details) return;
    details.open = true;
    details.scrollIntoView();
  }

  // A question shows its answer; the rest is fetched when it is opened.
  function section(question, number) {
    const host = h("div");
    const details = h(
      "details",
      { "data-question": question.id, ontoggle: () => toggle(details, question.id, host) },
      h(
        "summary",
        {},
        h("h2", { class: "ask" }, `${number + 1}. ${question.ask}`),
        h("span", { class: "soft told" }),
        h("span", { class: "tally-host" }),
      ),
      host,
    );
    return details;
  }

  function refreshSummary(question) {
    const details = questions.querySelector(`[data-question="${question.id}"]`);
    say(details.querySelector(".told"), question.answer);
    const counts = {};
    for (const claim of question.claims) {
      const code = verdictCode(lab, claim);
      if (code !== "not-yet") counts[code] = (counts[code] ?? 0) + 1;
    }
    refill(details.querySelector(".tally-host"), counts, () => tally(counts, lab));
  }

  function toggle(details, question, host) {
    if (details.open && !open.has(question)) {
      open.set(question, questionView(host));
      refresh(question);
    } else if (!details.open) {
      open.get(question)?.leave();
      open.delete(question);
      fill(host);
    }
  }

  async function refresh(question) {
    const [mine, view] = [lab, open.get(question)];
    const asked = lab.questions.find((each) => each.id === question);
    const curves = await curvesOf(lab, asked).catch(() => null);
    // Of a lab that has been heard of since, or of a question that has been closed, it is late.
    if (curves && lab === mine && open.get(question) === view) view.update(lab, asked, curves);
  }

  function experiments() {
    if (!lab.experiments.length) return null;
    const metrics = Object.keys(lab.experiments[0].metrics);
    const sets = testSetsIn(...lab.experiments.map((each) => each.accuracy));
    const names = [...metrics, ...sets.map((set) => `${t(`set.${set}`)} %`)];
    const cells = (each) =>
      [...metrics.map((name) => each.metrics[name]), ...sets.map((set) => each.accuracy[set])].map(
        ({ text }) => h("td", { class: "number" }, text),
      );
    return h(
      "section",
      {},
      h("h2", {}, t("head.experiments")),
      scroller(
        t("head.experiments"),
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              h("th", { scope: "col" }, t("table.experiment")),
              names.map((name) => h("th", { scope: "col", class: "number" }, name)),
              h("th", { scope: "col", class: "number" }, "n"),
            ),
          ),
          h(
            "tbody",
            {},
            lab.experiments.map((each) =>
              h(
                "tr",
                {},
                h("th", { scope: "row" }, each.name),
                cells(each),
                h("td", { class: "number" }, String(each.n)),
              ),
            ),
          ),
        ),
      ),
    );
  }

  function live() {
    if (!lab) return;
    update(lab);
    for (const view of open.values()) view.live();
  }

  const failed = (error) =>
    lab || fill(main, refusalOf(error));
  const stop = followLab(id, { heard, live, failed });
  return () => {
    stop();
    for (const view of open.values()) view.leave();
  };
}
