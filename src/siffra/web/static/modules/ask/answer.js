// The answer to what was asked: a lab of one question, live.

import { fill, h, refill } from "../dom.js";
import { refusalOf } from "../server.js";
import { curvesOf, followLab } from "../results/feed.js";
import { questionView } from "../results/question.js";
import { repeat } from "../results/repeat.js";
import { status } from "../results/status.js";
import { t } from "../words.js";

/** The lab `id` in `host`; `on` and `chosen` as `questionView` has them. Returns what ends it. */
export function answerView(host, id, { on, chosen }) {
  const title = h("h2");
  const statusHost = h("div", { class: "status" });
  const questionHost = h("div");
  const repeatHost = h("section");
  const update = status(statusHost, id);
  const question = questionView(questionHost, { on, chosen });
  let lab = null;
  let over = false;
  fill(
    host,
    h("p", { class: "eyebrow" }, t("ui.ask.question")),
    title,
    statusHost,
    questionHost,
    repeatHost,
  );

  async function heard(next) {
    lab = next;
    const [asked] = lab.questions;
    const curves = await curvesOf(lab, asked);
    if (over) return;
    fill(title, asked.ask);
    update(lab);
    question.update(lab, asked, curves);
    refill(repeatHost, lab.have > 0 && [lab.command, lab.toml], () =>
      lab.have > 0 && [h("h3", {}, t("head.repeat")), repeat(lab, lab.toml && `api/labs/${id}/lab.toml`)],
    );
  }

  function live() {
    if (!lab) return;
    update(lab);
    question.live();
  }

  const failed = (error) =>
    lab || fill(host, refusalOf(error));
  const stop = followLab(id, { heard, live, failed });
  return () => {
    over = true;
    stop();
    question.leave();
  };
}
