// Labs: the study and every other lab in the store, and one of them in full.

import { onJobs } from "../jobs.js";
import { fill, h, refill, say } from "../dom.js";
import { go, to } from "../route.js";
import { get, latest, oneAtATime, post, single, tellRefusal } from "../server.js";
import { count, language, moment, t } from "../words.js";
import { costText, stateBadge, tally } from "./badges.js";
import { classView } from "./classView.js";
import { labView } from "./lab.js";

const PATIENCE = 250; // ms without a change before the server is asked what it costs

/** The view in `main`: `#/labs`, `#/labs/class` or `#/labs/ID`. Returns what ends it. */
export function labs(main, { path, query }) {
  if (path[1] === "class") return classView(main);
  return path[1] ? labView(main, path[1], query) : listView(main);
}

function listView(main) {
  const refusal = h("p", { class: "refusal", role: "alert" });
  const list = h("ul", { class: "cards" });
  const sideBySide = h("p", { hidden: true }, h("a", { href: to(["labs", "class"]) }, t("ui.labs.class")));
  fill(
    main,
    h("h1", {}, t("ui.labs.title")),
    refusal,
    study(),
    h("section", {}, h("h2", {}, t("ui.labs.all")), sideBySide, list),
  );
  const load = oneAtATime(
    async () => {
      try {
        const found = await get(`api/labs?lang=${language()}`);
        fill(refusal);
        sideBySide.hidden = found.labs.filter((lab) => !lab.ad_hoc).length < 2;
        refill(list, found.labs, () =>
          found.labs.length ? found.labs.map(card) : h("li", { class: "soft" }, t("ui.labs.none")),
        );
      } catch (error) {
        tellRefusal(refusal, error);
      }
    },
    { rests: true },
  );

  const stop = onJobs(
    (kind, data) => (kind === "lab" || kind === "queue" || (kind === "link" && data)) && load(),
  );
  load();
  return stop;
}

function card(lab) {
  const href =
    lab.ad_hoc
      ? to(["ask"], new URLSearchParams({ lab: lab.id }))
      : to(["labs", lab.id]);
  return h(
    "li",
    {},
    h("h3", {}, h("a", { href }, lab.title)),
    h(
      "p",
      { class: "soft" },
      [lab.answer, [lab.author, count("ui.labs.runs", lab.runs), moment(lab.asked)].filter(Boolean).join(" · ")]
        .filter(Boolean)
        .join(" "),
    ),
    lab.state === "done"
      ? null
      : h(
          "div",
          { class: "tally" },
          stateBadge(lab.state),
          h("span", { class: "soft" }, `${lab.have} / ${lab.runs}`),
        ),
    tally(lab.tally, lab),
  );
}

/** The study that siffra brings, to be run at a preset; what that costs is told first. */
function study() {
  const newest = latest();
  let usual = null; // budgets, by preset
  let timer = null;
  const cost = h("p", { class: "soft", role: "status" });
  const refusal = h("p", { class: "refusal", role: "alert" });
  const button = h("button", { type: "submit", class: "primary" }, t("ui.labs.run"));
  const presets = h(
    "select",
    { id: "preset", onchange: choose },
    ["quick", "standard", "full"].map((name) =>
      h("option", { value: name }, t(`ui.labs.preset.${name}`)),
    ),
  );
  const minutes = h("input", {
    id: "minutes",
    class: "count",
    type: "number",
    min: 1,
    max: 1440,
    oninput: () => {
      newest.drop();
      clearTimeout(timer);
      timer = setTimeout(estimate, PATIENCE);
    },
  });
  const body = () => ({
    preset: presets.value,
    ...(minutes.value && { time: 60 * Number(minutes.value) }),
  });

  function choose() {
    showUsual();
    estimate();
  }

  async function showUsual() {
    try {
      usual ??= (await get(`api/knobs?lang=${language()}`)).presets;
      minutes.placeholder = usual[presets.value].time / 60;
    } catch (error) {
      tellRefusal(refusal, error);
    }
  }

  async function estimate() {
    try {
      const told = await newest(post(`api/study/estimate?lang=${language()}`, body()));
      fill(refusal);
      say(cost, costText(told));
    } catch (error) {
      say(cost, "");
      tellRefusal(refusal, error);
    }
  }

  const start = single(async () => {
    try {
      go(["labs", (await post("api/study", body())).id]);
    } catch (error) {
      tellRefusal(refusal, error);
    }
  });

  choose();
  return h(
    "section",
    { class: "study" },
    h("h2", {}, t("ui.labs.study")),
    h("p", {}, t("ui.labs.study_what")),
    h(
      "form",
      { class: "row", onsubmit: (event) => (event.preventDefault(), start()) },
      h("label", { class: "row" }, t("ui.labs.length"), presets),
      h("label", { class: "row" }, t("ui.labs.minutes"), minutes),
      button,
      cost,
    ),
    refusal,
  );
}
