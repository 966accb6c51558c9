// Playground: a digit under the hand, and two or more networks that make up their minds about it.

import { onBench } from "../bench.js";
import { fill, h, refill, say } from "../dom.js";
import { here, remember } from "../route.js";
import { get, post } from "../server.js";
import { language, number, t } from "../words.js";
import { looker } from "./look.js";
import { opinion } from "./opinion.js";
import { AT_REST, pad, within } from "./pad.js";
import { SIDE, base64, bytes, inked, paint } from "./pixels.js";

const TEST_DIGITS = 10000;
const SHELF = [3, 2, 1, 18, 4, 8, 11, 0, 61, 7]; // one test digit of each class, from 0 to 9
const MOST_MODELS = 6;
const SLIDERS = [
  ["dx", -20, 20, 0.5, (n) => t("ui.play.pixels", { n: number(n, 1) })],
  ["dy", -20, 20, 0.5, (n) => t("ui.play.pixels", { n: number(n, 1) })],
  ["angle", -180, 180, 1, (n) => t("ui.play.degrees", { n: number(n, 0) })],
  ["scale", 0.3, 2.5, 0.05, (n) => `×\u00a0${number(n, 2)}`],
];

let drawing = null; // what was drawn last, kept while the page is open

/** The view in `main`, at `place`. Returns what ends it. */
export function playground(main, { query }) {
  const state = stateFrom(query);
  const cards = new Map();
  let models = [];
  let over = false;
  const refusal = h("p", { class: "refusal", role: "alert" });
  const padHost = h("div", { class: "pad" });
  const seenAs = h("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": t("ui.play.input") });
  const aloud = h("p", { class: "unseen", role: "status" });
  const modes = h("div", { class: "choices", role: "group", "aria-label": t("ui.play.mode") });
  const hint = h("p", { class: "soft hint" });
  const tools = h("div", { class: "row tools" });
  const shelf = h("div", { class: "shelf", role: "group", "aria-label": t("ui.play.shelf") });
  const sliders = h("div", { class: "sliders" }, SLIDERS.map(slider));
  const picker = h("fieldset", { class: "models" });
  const opinions = h("div", { class: "opinions" }, h("p", { class: "soft", role: "status" }, t("ui.play.loading")));
  const thePad = pad(padHost, { placed, drawn });
  const look = looker(seen, (error) => (refusal.textContent = error.message));

  fill(
    main,
    h("h1", { class: "unseen" }, t("ui.play.title")),
    h("p", { class: "lead" }, t("ui.play.lead")),
    refusal,
    h("div", { class: "play" },
      h("div", { class: "hand" }, modes, h("div", { class: "pads" }, padHost,
        h("figure", { class: "seen" }, seenAs, h("figcaption", { class: "soft" }, t("ui.play.input")))),
        shelf),
      h("div", { class: "minds" }, picker, opinions),
      h("div", { class: "hand-tools" }, hint, tools, sliders)),
    aloud,
  );

  begin().catch((error) => (refusal.textContent = error.message));
  const stop = onBench((kind) => kind === "model" && loadModels());
  const recoloured = () => thePad.show(shown());
  window.addEventListener("themechange", recoloured);
  window.addEventListener("themechange", ask);

  async function begin() {
    drawModes();
    SHELF.forEach((index) => shelf.append(shelfDigit(index)));
    await Promise.all([loadModels(), state.digit === null ? keepDrawing() : take(state.digit, state.place)]);
  }

  async function loadModels() {
    models = (await get(`api/models?lang=${language()}`)).models.filter((model) => model.playable);
    if (over) return;
    const ids = models.map((model) => model.id);
    state.models = state.models.filter((id) => ids.includes(id));
    if (!state.models.length) state.models = ids.slice(0, 2);
    drawModels();
    ask();
  }

  // What is under the hand

  async function take(index, at = AT_REST) {
    const digit = await get(`api/digits/${index}`);
    if (over) return;
    Object.assign(state, { digit: index, label: digit.label, pixels: bytes(digit.pixels), mode: "move" });
    changed(at);
  }

  function keepDrawing(pixels = drawing ?? new Uint8Array(SIDE * SIDE)) {
    drawing = pixels;
    Object.assign(state, { digit: null, label: null, pixels });
    changed(state.place);
  }

  function drawn(pixels) {
    keepDrawing(pixels);
  }

  function placed(place) {
    changed(place);
  }

  function changed(place) {
    state.place = place;
    thePad.show(shown());
    SLIDERS.forEach(([name, , , , text], i) => {
      const [field, told] = sliders.children[i].querySelectorAll("input, output");
      field.value = place[name];
      say(told, text(place[name]));
    });
    for (const card of cards.values()) card.here(place);
    drawModes();
    keepInAddress();
    ask();
  }

  function shown() {
    return { pixels: state.pixels, place: state.place, drawing: state.mode === "draw" };
  }

  function ask() {
    if (!state.models.length || !state.pixels) return;
    const what = state.digit === null ? { pixels: base64(state.pixels) } : { digit: state.digit };
    look({ models: state.models, ...what, ...state.place, response: true });
  }

  function seen(answer) {
    if (over) return;
    refusal.textContent = "";
    paint(seenAs, bytes(answer.pixels), SIDE, SIDE);
    const label = state.digit === null ? null : answer.label;
    for (const each of answer.models) cards.get(each.id)?.show(each, label);
    tellLater();
  }

  // What the networks say, aloud, once the hand rests.
  let telling = null;
  function tellLater() {
    clearTimeout(telling);
    telling = setTimeout(() => say(aloud, [...opinions.querySelectorAll(".opinion")]
      .map((card) => `${card.querySelector("h3").textContent}: ${card.querySelector(".says").textContent}`).join(" ")), 700);
  }

  function keepInAddress() {
    const next = new URLSearchParams();
    if (state.digit !== null) next.set("digit", state.digit);
    for (const [name, rest] of Object.entries(AT_REST)) if (state.place[name] !== rest) next.set(name, state.place[name]);
    if (state.models.length) next.set("models", state.models.join(","));
    if (String(next) !== String(here().query)) remember(next);
  }

  // The tools

  function drawModes() {
    refill(modes, state.mode, () => ["move", "draw"].map((mode) => {
      const choose = () => {
        if (mode === "draw") startDrawing();
        else setMode("move");
        modes.querySelector("[aria-pressed=true]").focus();
      };
      return h("button", { type: "button", "aria-pressed": String(mode === state.mode), onclick: choose }, t(`ui.play.${mode}`));
    }));
    say(hint, t(`ui.play.hint_${state.mode}`));
    refill(tools, state.mode, () => (state.mode === "draw"
      ? [tool("clear", startDrawing), tool("fit", fit)]
      : [tool("reset", () => changed(AT_REST)), tool("another", another), pictureField()]));
  }

  function setMode(mode) {
    state.mode = mode;
    changed(state.place);
  }

  function startDrawing() {
    state.mode = "draw";
    thePad.clear();
    state.place = AT_REST;
    keepDrawing(new Uint8Array(SIDE * SIDE));
  }

  // As MNIST's own digits were made: scaled to 20 pixels, centred by mass.
  async function fit() {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 280;
    const context = canvas.getContext("2d");
    context.fillRect(0, 0, 280, 280);
    context.filter = "invert(1)";
    context.drawImage(thePad.sheet(), 0, 0);
    await takePicture(canvas.toDataURL("image/png").split(",")[1]);
  }

  async function takePicture(picture) {
    try {
      const { pixels } = await post("api/picture", { picture });
      state.mode = "move";
      state.place = AT_REST;
      keepDrawing(bytes(pixels));
    } catch (error) {
      refusal.textContent = error.message;
    }
  }

  function pictureField() {
    const read = (event) => {
      const reader = new FileReader();
      reader.onload = () => takePicture(reader.result.split(",")[1]);
      if (event.target.files[0]) reader.readAsDataURL(event.target.files[0]);
    };
    return h("label", { class: "button small" }, t("ui.play.picture"),
      h("input", { type: "file", class: "unseen", accept: "image/png,image/jpeg", onchange: read }));
  }

  function another() {
    take(Math.floor(Math.random() * TEST_DIGITS)).catch((error) => (refusal.textContent = error.message));
  }

  function tool(name, act) {
    return h("button", { type: "button", class: "small", "data-tool": name, onclick: act }, t(`ui.play.${name}`));
  }

  function shelfDigit(index) {
    const button = h("button", { type: "button", onclick: () => take(index) });
    get(`api/digits/${index}`).then(({ label, pixels }) => {
      button.setAttribute("aria-label", t("ui.play.take", { digit: label }));
      fill(button, inked(bytes(pixels), SIDE, SIDE));
    }, () => {});
    return button;
  }

  function slider([name, min, max, step]) {
    const slide = (event) => changed(within({ ...state.place, [name]: Number(event.target.value) }));
    return h("label", {}, h("span", {}, t(`ui.play.${name}`)),
      h("input", { type: "range", name, min, max, step, oninput: slide }), h("output"));
  }

  // The networks

  function drawModels() {
    const box = ({ id, name }) => {
      const checked = state.models.includes(id);
      const full = !checked && state.models.length >= MOST_MODELS;
      return h("label", {}, h("input", { type: "checkbox", checked, disabled: full, onchange: (event) => choose(id, event.target.checked) }), name);
    };
    refill(picker, [models, state.models, language()], () => [h("legend", {}, t("ui.play.models")), models.map(box)]);
    picker.hidden = models.length < 3;
    for (const id of [...cards.keys()]) if (!state.models.includes(id)) cards.delete(id);
    const chosen = models.filter((model) => state.models.includes(model.id));
    for (const model of chosen.filter(({ id }) => !cards.has(id))) {
      const host = h("article", { class: "opinion", "data-model": model.id });
      const went = (change) => changed(within({ ...state.place, ...change }));
      cards.set(model.id, { host, ...opinion(host, model, went) });
      cards.get(model.id).here(state.place);
      loadMap(model.id);
    }
    fill(opinions, chosen.map(({ id }) => cards.get(id).host));
  }

  function choose(id, wanted) {
    state.models = models.map((model) => model.id).filter((each) => (each === id ? wanted : state.models.includes(each)));
    if (!state.models.length) state.models = [id];
    drawModels();
    keepInAddress();
    ask();
  }

  // A run's network that was only just made may not be examined yet; "model" events say when it is.
  async function loadMap(id) {
    const found = await get(`api/models/${id}/examination`).catch(() => null);
    if (found) cards.get(id)?.examined(found);
  }

  return () => {
    over = true;
    stop();
    clearTimeout(telling);
    window.removeEventListener("themechange", recoloured);
    window.removeEventListener("themechange", ask);
  };
}

function stateFrom(query) {
  const place = Object.fromEntries(Object.entries(AT_REST).map(([name, rest]) => [name, Number(query.get(name) ?? rest)]));
  const digit = Number(query.get("digit") ?? (drawing ? NaN : SHELF[7]));
  return {
    digit: Number.isInteger(digit) && digit >= 0 && digit < TEST_DIGITS ? digit : null,
    label: null,
    pixels: null,
    place: within(place),
    models: query.get("models")?.split(",") ?? [],
    mode: "move",
  };
}
