// The question as a sentence with gaps: the form of the Ask view.

import { fill, h, keeping } from "../dom.js";
import { t } from "../words.js";
import { dataField } from "./data.js";
import { heldFields } from "./held.js";
import { companions, firstSetup, turns } from "./setup.js";

const MOST_KNOBS = 2;

/**
 * The form in `host`. `knobs` is what the server says of them; `changed(setup)` is called with
 * every change, `failed(error)` when a file cannot be used. Returns `show(setup)`, which puts a set-up into the form.
 */
export function sentence(host, knobs, datasets, changed, failed) {
  const known = new Map(knobs.knobs.map((knob) => [knob.name, knob]));
  const chooseData = (data) => change({ ...setup, data }, { again: true });
  let setup = null;
  let heldOpen = false;

  function change(next, { again = false } = {}) {
    setup = next;
    if (again) show(setup);
    changed(setup);
  }

  function show(next) {
    setup = next;
    keeping(host, () => fill(host, asked(), h("div", { class: "row under-sentence" }, secondKnob(), held())));
  }

  // "What does [learning rate] [0.02, 0.7, 1] do to a [dense] network …", gap by gap.
  function asked() {
    const [one, both] = turns(setup, "model")
      ? ["ui.ask.models", "ui.ask.models_and"]
      : ["ui.ask.one_knob", "ui.ask.two_knobs"];
    const key = setup.vary.length > 1 ? both : one;
    const gaps = {
      knob: () => knobGap(0),
      levels: () => levelsGap(0),
      knob2: () => knobGap(1),
      levels2: () => levelsGap(1),
      model: modelGap,
      epochs: () =>
        turns(setup, "epochs")
          ? t("ui.ask.so_many")
          : numberGap("epochs", setup.fixed.epochs ?? "", setEpochs),
      seeds: () => numberGap("seeds", setup.seeds, (seeds) => change({ ...setup, seeds })),
    };
    const parts = t(key).split(/{(\w+)}/);
    return h(
      "p",
      { class: "sentence" },
      parts.map((part, i) => (i % 2 ? gaps[part]() : part)),
    );
  }

  function setEpochs(epochs) {
    change({ ...setup, fixed: { ...setup.fixed, epochs } });
  }

  function knobGap(place) {
    const [now] = setup.vary[place];
    const elsewhere = setup.vary.filter((_, i) => i !== place).map(([name]) => name);
    const possible = knobs.knobs.filter(
      (knob) =>
        !elsewhere.includes(knob.name) &&
        (knob.models.includes(setup.model) || turns(setup, "model")),
    );
    const choose = (event) => {
      const knob = event.target.value;
      const levels = known.get(knob).suggested;
      const vary = setup.vary.map((pair, i) => (i === place ? [knob, levels] : pair));
      const left = companions(known.get(now), setup.model);
      const kept = Object.entries(setup.fixed).filter(([name, value]) => left[name] !== value);
      const fixed = { ...Object.fromEntries(kept), ...companions(known.get(knob), setup.model) };
      change({ ...setup, vary, fixed }, { again: true });
    };
    return h(
      "select",
      { id: `knob-${place}`, "aria-label": t("ui.ask.knob"), onchange: choose },
      possible.map((knob) =>
        h("option", { value: knob.name, selected: knob.name === now }, knob.label),
      ),
    );
  }

  function levelsGap(place) {
    const [knob, levels] = setup.vary[place];
    const type = (event) => {
      const vary = setup.vary.map((pair, i) => (i === place ? [knob, event.target.value] : pair));
      change({ ...setup, vary });
    };
    return h("input", {
      id: `levels-${place}`,
      class: "levels",
      value: levels,
      oninput: type,
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": t("ui.ask.levels", { knob: known.get(knob)?.label ?? knob }),
      placeholder: known.get(knob)?.suggested ?? "",
    });
  }

  function modelGap() {
    const choose = (event) => {
      const model = event.target.value;
      const fits = ([knob]) => !known.has(knob) || known.get(knob).models.includes(model);
      const kept = setup.vary.filter(fits);
      const vary = kept.length ? kept : firstSetup().vary;
      const fixed = Object.fromEntries(Object.entries(setup.fixed).filter(fits));
      vary.forEach(([knob]) => Object.assign(fixed, companions(known.get(knob), model)));
      change({ ...setup, model, vary, fixed }, { again: true });
    };
    return h(
      "select",
      { id: "model", "aria-label": t("knob.model"), onchange: choose },
      ["dense", "conv"].map((kind) =>
        h("option", { value: kind, selected: kind === setup.model }, t(`ui.ask.model.${kind}`)),
      ),
    );
  }

  function numberGap(name, value, set) {
    return h("input", {
      id: name,
      class: "count",
      type: "number",
      min: name === "seeds" ? 1 : 0,
      step: name === "seeds" ? 1 : "any", // half an epoch is a training, too
      inputmode: name === "seeds" ? "numeric" : "decimal",
      value,
      max: knobs.limits[name],
      "aria-label": t(`ui.ask.${name}`),
      oninput: (event) => set(event.target.value),
    });
  }

  function secondKnob() {
    if (setup.vary.length === MOST_KNOBS) {
      const drop = () => change({ ...setup, vary: setup.vary.slice(0, 1) }, { again: true });
      return h(
        "button",
        { id: "one-knob", type: "button", class: "plain", onclick: drop },
        t("ui.ask.drop_knob"),
      );
    }
    const free = knobs.knobs.find(
      (knob) =>
        !turns(setup, knob.name) &&
        knob.models.includes(setup.model) &&
        !["model", "epochs"].includes(knob.name),
    );
    const add = () =>
      change({ ...setup, vary: [...setup.vary, [free.name, free.suggested]] }, { again: true });
    return h(
      "button",
      { id: "two-knobs", type: "button", class: "plain", onclick: add },
      t("ui.ask.add_knob"),
    );
  }

  function held() {
    const heldText = h("span", { class: "soft" }, told());
    const hold = (knob, value) => {
      change({ ...setup, fixed: { ...setup.fixed, [knob]: value } });
      heldText.textContent = told();
    };
    return h(
      "details",
      { class: "held", open: heldOpen, ontoggle: (event) => (heldOpen = event.target.open) },
      h("summary", {}, t("ui.ask.held"), " ", heldText),
      h(
        "div",
        { class: "fields" },
        dataField(datasets, setup.data, chooseData, failed),
        heldFields(knobs, setup, hold),
      ),
    );
  }

  // Those that are said: "optimizer adamw, momentum 0.9".
  function told() {
    return Object.entries(setup.fixed)
      .filter(([knob, value]) => value.trim() && knob !== "epochs" && known.has(knob))
      .map(([knob, value]) => `${known.get(knob).label} ${value}`)
      .join(", ");
  }

  return show;
}
