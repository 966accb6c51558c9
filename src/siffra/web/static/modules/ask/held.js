// The knobs that are held fixed: a field for each, with what is used where nothing is said.

import { h } from "../dom.js";
import { has, t } from "../words.js";
import { turns } from "./setup.js";

const ELSEWHERE = ["model", "epochs"]; // gaps of the sentence

/** A labelled field for each knob of the set-up's model that is not varied; `hold(knob, value)`
 *  when one is filled in, or emptied. */
export function heldFields(knobs, setup, hold) {
  const defaults = knobs.defaults[setup.model];
  return knobs.knobs
    .filter((knob) => knob.models.includes(setup.model))
    .filter((knob) => !turns(setup, knob.name) && !ELSEWHERE.includes(knob.name))
    .map((knob) => {
      const usual = String(defaults[knob.name] ?? "");
      const now = setup.fixed[knob.name] ?? "";
      const change = (event) => hold(knob.name, event.target.value);
      const choices = knob.type === "bool" ? ["true", "false"] : knob.choices;
      const field = choices
        ? choiceField(knob, choices, usual, now, change)
        : typedField(knob, usual, now, change);
      return h("label", {}, knob.label, field);
    });
}

function choiceField(knob, choices, usual, now, change) {
  const option = (value, text) => h("option", { value, selected: value === now }, text);
  const others = choices.filter((choice) => choice !== usual);
  return h(
    "select",
    { id: `fixed-${knob.name}`, onchange: change },
    option("", usual ? named(usual) : "–"),
    others.map((choice) => option(choice, named(choice))),
  );
}

function typedField(knob, usual, now, change) {
  return h("input", {
    id: `fixed-${knob.name}`,
    value: now,
    placeholder: usual,
    autocomplete: "off",
    inputmode: knob.per_layer ? "text" : "decimal",
    oninput: change,
  });
}

function named(choice) {
  for (const key of [`value.${choice}`, `ui.choice.${choice}`]) if (has(key)) return t(key);
  return choice.replaceAll("_", " ");
}
