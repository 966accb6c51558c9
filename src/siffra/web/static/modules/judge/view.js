// Judge: a table of runs that are done is dropped, and answered as siffra answers its own runs.

import { fill, h, marked, refill, say } from "../dom.js";
import { questionView } from "../results/question.js";
import { repeat } from "../results/repeat.js";
import { Refused, oneAtATime, tellRefusal } from "../server.js";
import { count, t } from "../words.js";
import { corrections } from "./form.js";
import { held, hold, judge as judgeTable } from "./table.js";

const EXAMPLE = ["lr,seed,val_loss", "0.1,0,0.3216", "0.1,1,0.2841", "0.3,0,0.2710", "…"].join("\n");
const KINDS = ".csv,.tsv,.txt,.json,.jsonl,.ndjson,.parquet";
let waiting = null; // a file that was dropped while another view was shown
let shown = null; // what takes files, while this view is shown

/** Take a file that was dropped; whether this view is shown already. */
export function take(file) {
  waiting = file;
  shown?.();
  return shown !== null;
}

/** The view in `main`. Returns what ends it. */
export function judge(main) {
  const refusal = h("p", { class: "refusal", role: "alert", id: "refusal" });
  const status = h("p", { class: "soft", role: "status" });
  const article = h("article", { hidden: true });
  const aside = h("aside", { hidden: true });
  const form = h("form", {
    class: "fields corrections",
    "aria-label": t("ui.judge.correct"),
    onsubmit: (event) => event.preventDefault(),
  });
  const read = h("ul", { class: "soft read-as" });
  const title = h("h2");
  const questionHost = h("div");
  const rest = h("div");
  const example = h("figure", { class: "example" }, [
    h("figcaption", { class: "soft" }, t("ui.judge.example")),
    h("pre", {}, EXAMPLE),
  ]);
  const question = questionView(questionHost);
  const correcting = corrections(form, () => held().said, correct);
  // An answer is late if the table or what is said of it is another by now.
  const asking = oneAtATime(async () => {
    const table = held();
    if (!table) return;
    const { said } = table;
    const isLate = () => held()?.said !== said;
    try {
      const answer = await judgeTable();
      if (!isLate()) draw(answer);
    } catch (error) {
      if (!isLate()) refused(error);
    }
  });
  let over = false;
  fill(
    main,
    h("h1", {}, t("ui.judge.title")),
    h("p", { class: "lead-text" }, t("ui.judge.lead")),
    dropZone(),
    refusal,
    status,
    example,
    h("div", { class: "with-side judged" }, article, aside),
  );
  fill(article, title, questionHost, rest);
  fill(aside, h("h3", {}, t("ui.judge.read_as")), read, form);
  shown = () => open(waiting);
  if (waiting) open(waiting);
  else if (held()) ask();

  function dropZone() {
    const choose = () => {
      if (input.files[0]) open(input.files[0]);
      input.value = ""; // or the same file, edited since, could not be chosen again
    };
    const input = h("input", { type: "file", class: "unseen", accept: KINDS, onchange: choose });
    return h(
      "div",
      { class: "drop-zone" },
      h("p", {}, t("ui.judge.drop")),
      h("label", { class: "button" }, t("ui.judge.choose"), input),
    );
  }

  async function open(file) {
    waiting = null;
    clear();
    try {
      await hold(file);
      if (!over) ask();
    } catch (error) {
      refused(error);
    }
  }

  function ask() {
    const { name } = held();
    example.hidden = true;
    say(status, t("ui.judge.busy", { file: name }));
    article.classList.add("stale");
    asking();
  }

  function clear() {
    say(refusal, "");
    say(status, "");
    article.hidden = aside.hidden = true;
  }

  function refused(error) {
    if (over) return;
    say(status, "");
    article.hidden = true;
    refusal.removeAttribute("lang");
    tellRefusal(refusal, error);
  }

  function draw(answer) {
    const { name } = held();
    aside.hidden = !answer.columns?.length;
    if (answer.columns) correcting(answer, held().said);
    const notes = answer.data_notes ?? [];
    refill(read, notes, () => notes.map(({ text }) => h("li", {}, marked(text))));
    if (answer.error) {
      refused(new Refused(200, answer));
      if (answer.lang) refusal.lang = answer.lang;
      return;
    }
    say(refusal, "");
    say(status, count("ui.judge.runs", answer.rows, { file: name }));
    article.hidden = false;
    article.classList.remove("stale");
    const [asked] = answer.questions;
    fill(title, asked.ask);
    question.update({ ...answer, have: answer.rows, runs: answer.rows, ad_hoc: true, provisional: false }, asked, answer.curves);
    refill(rest, [answer.limits, answer.command], () => [
      answer.limits.length > 0 && limits(answer.limits),
      h("section", {}, h("h3", {}, t("head.repeat")), repeat({ command: answer.command })),
    ]);
  }

  // What is said holds at once: more may be said before the answer comes.
  function correct(changed) {
    if (!held()) return; // another table is being read
    if (changed.margin !== undefined && !(changed.margin > 0)) {
      const [kind, span] = [t("ui.limits.number"), t("ui.limits.above", { n: 0 })];
      say(refusal, t("ui.limits.give", { label: t("ui.judge.margin"), kind, span }));
      return;
    }
    held().said = { ...held().said, ...changed };
    ask();
  }

  return () => {
    over = true;
    shown = null;
    question.leave();
  };
}

function limits(texts) {
  const items = texts.map((text) => h("li", {}, marked(text)));
  return h("section", {}, h("h3", {}, t("head.limits")), h("ul", { class: "limits" }, items));
}
