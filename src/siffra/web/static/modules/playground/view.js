// Playground: a digit to move, and networks side by side that predict what it is.

import { onJobs } from "../jobs.js";
import { fill, h } from "../dom.js";
import { get, latest, post, tellRefusal } from "../server.js";
import { t } from "../words.js";
import { lesson } from "./lesson.js";
import { networks } from "./networks.js";
import { pad } from "./pad.js";
import { SIDE, base64, bytes, paint } from "./pixels.js";
import { AT_REST, anyDigit, fromQuery, keep, within } from "./place.js";
import { predictor } from "./predict.js";
import { SHELF, modeTools, shelf, sliders } from "./tools.js";

const FIRST = SHELF[7];
const EMPTY = new Uint8Array(SIDE * SIDE);
let drawing = null; // what was drawn last: kept as long as the page is open

/** The view in `main`, at the place in the address. Returns what ends it. */
export function playground(main, { query }) {
  const state = { ...fromQuery(query), pixels: EMPTY, label: null, mode: "move" };
  const refusal = h("p", { class: "refusal", role: "alert" });
  const padHost = h("div", { class: "pad" });
  const seenAs = h("canvas", {
    width: SIDE,
    height: SIDE,
    role: "img",
    "aria-label": t("ui.play.input"),
  });
  const networksHost = h("div", { class: "networks" });
  const thePad = pad(padHost, { placed: put, drawn: draw });
  const guide = lesson();
  const tools = modeTools({
    move: () => setMode("move"),
    draw: newSheet,
    clear: newSheet,
    fit,
    reset: () => put(AT_REST),
    another: () => take(anyDigit()),
    picture: takePicture,
  });
  const slide = sliders((change) => put(within({ ...state.place, ...change })));
  const cards = networks(networksHost, {
    chosen: ask,
    went: (change) => put(within({ ...state.place, ...change })),
  });
  const predict = predictor(predicted, refused);
  const newest = latest(); // of what is fetched to be under the hand

  fill(
    main,
    h("h1", { class: "unseen" }, t("ui.play.title")),
    h("p", { class: "lead" }, t("ui.play.lead")),
    guide.element,
    refusal,
    h(
      "div",
      { class: "play" },
      h(
        "div",
        { class: "hand" },
        tools.modes,
        h(
          "div",
          { class: "pads" },
          padHost,
          h(
            "figure",
            { class: "seen" },
            seenAs,
            h("figcaption", { class: "soft" }, t("ui.play.input")),
          ),
        ),
        shelf(take),
        h("div", { class: "hand-tools" }, tools.hint, tools.tools, slide.element),
      ),
      networksHost,
    ),
  );
  cards.load(state.models).catch(refused);
  if (state.digit === null && drawing) draw(drawing);
  else take(state.digit ?? FIRST, state.place);

  const stop = onJobs((kind) => kind === "model" && cards.load(state.models).catch(refused));
  const recoloured = () => (put(state.place), ask());
  window.addEventListener("themechange", recoloured);

  // What is under the hand

  async function take(index, place = AT_REST) {
    try {
      const { label, pixels } = await newest(get(`api/digits/${index}`));
      Object.assign(state, { digit: index, label, pixels: bytes(pixels), mode: "move" });
      put(place);
    } catch (error) {
      refused(error);
    }
  }

  function draw(pixels) {
    drawing = pixels;
    Object.assign(state, { digit: null, label: null, pixels });
    put(state.place);
  }

  function newSheet() {
    newest.drop();
    thePad.clear();
    Object.assign(state, { mode: "draw", place: AT_REST });
    draw(EMPTY);
  }

  // Fitted as MNIST's own digits were: scaled to 20 pixels, centred by mass.
  function fit() {
    const canvas = thePad.sheet();
    takePicture(canvas.toDataURL("image/png").split(",")[1]);
  }

  async function takePicture(picture) {
    try {
      const { pixels } = await newest(post("api/picture", { picture }));
      Object.assign(state, { mode: "move", place: AT_REST });
      draw(bytes(pixels));
    } catch (error) {
      refused(error);
    }
  }

  function setMode(mode) {
    state.mode = mode;
    put(state.place);
  }

  function put(place) {
    state.place = place;
    thePad.show({ pixels: state.pixels, place, drawing: state.mode === "draw" });
    tools.show(state.mode);
    guide.seen(state);
    slide.show(place);
    cards.here(place);
    ask();
  }

  // What the networks predict

  function ask(ids = state.models) {
    state.models = ids;
    if (!ids.length) return;
    keep(state);
    if (!state.pixels.some(Boolean)) {
      predict.stop();
      paint(seenAs, EMPTY, SIDE, SIDE);
      // Of a digit that is still being fetched nothing is said.
      cards.clear(state.digit === null && state.pixels === drawing ? t("ui.play.empty") : "");
      return;
    }
    const what = state.digit === null ? { pixels: base64(state.pixels) } : { digit: state.digit };
    predict({ models: ids, ...what, ...state.place, response: true });
  }

  function predicted(answer) {
    refusal.textContent = "";
    paint(seenAs, bytes(answer.pixels), SIDE, SIDE);
    cards.show(answer.models, state.digit === null ? null : answer.label);
  }

  function refused(error) {
    tellRefusal(refusal, error);
  }

  return () => {
    predict.stop();
    stop();
    cards.leave();
    window.removeEventListener("themechange", recoloured);
  };
}
