// A digit that moves to the right and back, and what two networks make of it on its way.

import { fill, h, say } from "../dom.js";
import { SIDE, bytes, paint } from "../playground/pixels.js";
import { predictor } from "../playground/predict.js";
import { to } from "../route.js";
import { get } from "../server.js";
import { language, percent, t } from "../words.js";

const DIGIT = 0; // the first test digit, a seven
const FAR = 6; // pixels
const LASTS = 4800; // ms, so that nothing moves for longer than five seconds
const STEP = 100; // ms

/** The digit in `host`, moving once, and again when it is asked to. Returns what ends it. */
export function movingDigit(host) {
  const canvas = h("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": t("ui.ask.moving.label") });
  const where = h("p", { class: "soft" });
  const rows = h("ul");
  const again = h("button", { type: "button", class: "small", onclick: begin }, t("ui.ask.moving.again"));
  const predict = predictor(predicted, () => {});
  let models = [];
  let timer = null;
  fill(
    host,
    h("h2", {}, t("ui.ask.moving.title")),
    h("div", { class: "moving" }, canvas, rows),
    where,
    h("p", { class: "row" }, again, h("a", { href: to(["playground"]) }, t("ui.ask.moving.more"))),
  );
  load().catch(() => fill(host));

  async function load() {
    const known = (await get(`api/models?lang=${language()}`)).models;
    const shipped = known.filter(({ kind, playable }) => kind === "shipped" && playable);
    models = [shipped.at(0), shipped.at(-1)];
    fill(rows, models.map(({ name }) => h("li", {}, h("span", { class: "soft" }, name), h("b", {}, "…"))));
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) show(FAR - 1);
    else begin();
  }

  function begin() {
    clearInterval(timer);
    const start = performance.now();
    timer = setInterval(() => {
      const share = Math.min(1, (performance.now() - start) / LASTS);
      show(share < 1 ? FAR * Math.sin(Math.PI * share) ** 2 : FAR - 1); // it ends where one of them errs
      if (share === 1) clearInterval(timer);
    }, STEP);
  }

  function show(dx) {
    const exact = Math.round(dx * 10) / 10;
    say(where, t("ui.ask.moving.where", { n: Math.round(dx) }));
    predict({ models: models.map(({ id }) => id), digit: DIGIT, dx: exact, response: false });
  }

  function predicted({ pixels, label, models: answers }) {
    paint(canvas, bytes(pixels), SIDE, SIDE);
    answers.forEach(({ probabilities }, i) => {
      const digit = probabilities.indexOf(Math.max(...probabilities));
      const text = rows.children[i].lastElementChild;
      text.className = digit === label ? "right" : "wrong";
      say(text, `${models[i].labels[digit]} · ${percent(probabilities[digit], 0)}`);
    });
  }

  return () => {
    clearInterval(timer);
    predict.stop();
  };
}
