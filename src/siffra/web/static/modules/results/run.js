// One run in full: its scores, its curves, what it confuses, its worst mistakes, and what made it.

import { onJobs } from "../jobs.js";
import { curvesChart } from "../charts/curves.js";
import { fill, h } from "../dom.js";
import { bytes, inked, SIDE } from "../playground/pixels.js";
import { to } from "../route.js";
import { get, post, refusalOf } from "../server.js";
import { exact, has, language, measure, moment, number, percent, t } from "../words.js";
import { confusion } from "./confusion.js";
import { metricCharts } from "./metricLines.js";
import { repeat } from "./repeat.js";
import { columnName, lineOf, pathOf, setsIn, valueText } from "./sets.js";

/** The run `key` in `main`. Returns what ends it. */
export function runView(main, key) {
  const back = h("p", { class: "eyebrow" }, h("a", { href: to(["runs"]) }, t("ui.nav.runs")));
  const parts = [];
  fill(main, back);
  load().catch((error) => fill(main, back, refusalOf(error)));

  async function load() {
    const run = await get(`api/runs/${key}?lang=${language()}`);
    const chartHost = h("div", { class: "chart", role: "group", "aria-label": t("ui.run.curves") });
    const measured = run.program && metricCharts([run]);
    fill(
      main,
      back,
      h("h1", {}, heading(run)),
      h(
        "p",
        { class: "soft" },
        run.labs.map((lab, i) => [
          i ? ", " : "",
          h("a", { href: to(["labs", lab.id]) }, lab.title),
        ]),
      ),
      scores(run),
      failure(run),
      measured?.host,
      h(
        "div",
        { class: "columns" },
        run.program ? null : ofNetwork(run, chartHost, parts),
        h(
          "section",
          {},
          h("h2", {}, t("ui.run.settings")),
          run.program?.length > 0 && h("pre", {}, run.program.join(" ")),
          facts(Object.entries(run.knobs).map(([k, v]) => [columnName(k), valueText(v)])),
        ),
        h("section", {}, h("h2", {}, t("ui.run.machine")), facts(machine(run))),
        run.command && h("section", {}, h("h2", {}, t("head.repeat")), repeat(run)),
      ),
    );
    if (measured) {
      parts.push(measured.leave);
      measured.draw();
      return;
    }
    const chart = curvesChart(chartHost);
    parts.push(chart.leave);
    chart.update(
      setsIn(run.accuracy).map((set, index) => {
        return lineOf(t(`set.${set}`), index, pathOf(run, set));
      }),
    );
  }

  return () => parts.forEach((leave) => leave());
}

// What only a network has that siffra trained itself.
function ofNetwork(run, chartHost, parts) {
  return [
    h("section", {}, h("h2", {}, t("ui.run.curves")), chartHost),
    run.diverged
      ? null
      : h("section", {}, h("h2", {}, t("ui.run.confusion")), confusion([{ bySet: run.confusion }])),
    run.diverged ? null : mistakes(run, parts),
  ];
}

// Why a program gave no result, with the last lines that it printed.
function failure(run) {
  if (!run.failure) return null;
  return [
    h("p", { class: "refusal" }, t("ui.run.failed", { why: run.failure })),
    run.output.length > 0 && h("pre", {}, run.output.join("\n")),
  ];
}

function heading(run) {
  if (run.program) return t("ui.run.title_of_program", { seed: run.seed });
  const model = has(`model.${run.knobs.model}`) ? t(`model.${run.knobs.model}`) : run.knobs.model;
  return t("ui.run.title", { model, seed: run.seed });
}

function scores(run) {
  return h(
    "dl",
    { class: "scores" },
    setsIn(run.accuracy).map((set) =>
      h("div", {}, h("dt", {}, t(`set.${set}`)), h("dd", {}, percent(run.accuracy[set], 2))),
    ),
    Object.entries(run.metrics).map(([name, value]) =>
      h("div", {}, h("dt", {}, name), h("dd", {}, measure(value))),
    ),
    h("div", {}, h("dt", {}, t("figure.time")), h("dd", {}, `${number(run.seconds, 2)}\u00a0s`)),
    run.busy && h("div", {}, h("dt", {}, t("ui.run.busy"))),
    run.diverged && h("div", {}, h("dt", {}, t("ui.run.diverged"))),
  );
}

// The worst mistakes need the network itself, which is trained again where it was not kept.
function mistakes(run, parts) {
  const host = h("div");
  const refusal = h("p", { class: "refusal", role: "alert" });
  const make = h(
    "button",
    { type: "button", "data-action": "make-model", onclick: train },
    t("ui.run.make_model"),
  );
  const id = `run-${run.key}`;
  parts.push(
    onJobs((kind, data) => {
      if (kind !== "model" || data.id !== id) return;
      if (data.state === "made") fetchAndShow();
      else if (data.state === "failed") failed();
    }),
  );
  if (run.examination) show(run.examination);
  else fill(host, h("p", { class: "soft" }, t("ui.run.no_model")), make);

  async function train() {
    make.disabled = true;
    refusal.textContent = "";
    try {
      const { state } = await post(`api/runs/${run.key}/model`);
      if (state === "made") await fetchAndShow();
      else fill(host, h("p", { class: "soft", role: "status" }, t("ui.run.making_model")));
    } catch (error) {
      failed(error);
    }
  }

  function failed(error) {
    make.disabled = false;
    fill(host, make);
    refusal.textContent = error?.message ?? t("ui.error.server");
  }

  async function fetchAndShow() {
    try {
      show(await get(`api/models/${id}/examination`));
    } catch (error) {
      failed(error);
    }
  }

  function show(examination) {
    const inPlayground = (digit) =>
      to(
        ["playground"],
        new URLSearchParams({ ...digit, models: ["dense", "recipe", id].join(",") }),
      );
    const picture = ({ index, label, predicted, probability }) => {
      const link = h("a", {
        href: inPlayground({ digit: index }),
        "aria-label": t("ui.run.mistake", { label, predicted }),
      });
      get(`api/digits/${index}`).then(
        ({ pixels }) => fill(link, inked(bytes(pixels), SIDE, SIDE)),
        () => {},
      );
      return h(
        "li",
        {},
        link,
        h("span", { class: "soft" }, `${label} → ${predicted}`, h("br"), percent(probability, 0)),
      );
    };
    fill(
      host,
      h("p", { class: "soft" }, t("ui.run.mistakes_how")),
      h("ul", { class: "mistakes" }, examination.mistakes.test.map(picture)),
      h("a", { class: "button", href: inPlayground({}) }, t("ui.run.play")),
    );
  }

  return h("section", {}, h("h2", {}, t("ui.run.mistakes")), host, refusal);
}

function machine(run) {
  const { cpu, cores, threads, system, versions } = run.machine;
  const origin = [
    [t("ui.column.finished"), moment(run.finished)],
    [t("ui.run.key"), run.key],
  ];
  if (run.program) return [...(cpu ? [[t("facts.machine"), cpu]] : []), [t("ui.run.system"), system], ...origin];
  return [
    [t("facts.machine"), t("facts.cores", { cpu, cores, threads })],
    [t("ui.run.system"), system],
    [
      t("facts.versions"),
      Object.entries(versions)
        .map((pair) => pair.join(" "))
        .join(", "),
    ],
    [t("facts.engine"), `${run.engine} ${run.engine_version}`],
    [t("facts.data"), run.dataset],
    [t("ui.column.parameters"), exact(run.parameters)],
    [
      t("ui.run.apart"),
      t("ui.run.apart_times", {
        compile: number(run.compile_seconds, 2),
        scoring: number(run.scoring_seconds, 2),
      }),
    ],
    ...origin,
  ];
}

function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]),
  );
}
