// What a new user sees before the first click: a question with its answer, and a digit that moves.

import { fill, h } from "../dom.js";
import { questionView } from "../results/question.js";
import { get } from "../server.js";
import { language, t } from "../words.js";
import { movingDigit } from "./movingDigit.js";

/** The example in `host`. Returns what ends it. */
export function exampleView(host) {
  const questionHost = h("div");
  const digitHost = h("aside");
  const title = h("h2");
  const question = questionView(questionHost);
  const stop = movingDigit(digitHost);
  fill(
    host,
    h(
      "div",
      { class: "with-side example-answer" },
      h(
        "div",
        {},
        h("p", { class: "eyebrow" }, h("span", { class: "badge plain" }, t("ui.ask.example.mark"))),
        title,
        h("p", { class: "soft" }, t("ui.ask.example.what")),
        questionHost,
      ),
      digitHost,
    ),
  );
  load().catch(() => fill(host)); // the form is all there is to be used

  async function load() {
    const { lab, curves } = await get(`api/example?lang=${language()}`);
    const [asked] = lab.questions;
    fill(title, asked.ask);
    question.update(lab, asked, curves);
  }

  return () => {
    stop();
    question.leave();
  };
}
