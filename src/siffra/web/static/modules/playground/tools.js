// What is around the pad: what the hand does, a shelf of digits, and a slider for each number.

import { fill, h, refill, say } from "../dom.js";
import { get } from "../server.js";
import { number, t } from "../words.js";
import { SIDE, bytes, inked } from "./pixels.js";

/** One test digit of each class, from 0 to 9. */
export const SHELF = [3, 2, 1, 18, 4, 8, 11, 0, 61, 7];

const SLIDERS = [
  ["dx", -20, 20, 0.5, (n) => t("ui.play.pixels", { n: number(n, 1) })],
  ["dy", -20, 20, 0.5, (n) => t("ui.play.pixels", { n: number(n, 1) })],
  ["angle", -180, 180, 1, (n) => t("ui.play.degrees", { n: number(n, 0) })],
  ["scale", 0.3, 2.5, 0.05, (n) => `×\u00a0${number(n, 2)}`],
];

/** Moving or drawing, with the tools of each. `act` has `move`, `draw`, `clear`, `fit`, `reset`,
 *  `another` and `picture(base64)`. */
export function modeTools(act) {
  const modes = h("div", { class: "choices", role: "group", "aria-label": t("ui.play.mode") });
  const hint = h("p", { class: "soft hint" });
  const tools = h("div", { class: "row tools" });

  function show(now) {
    refill(modes, now, () =>
      ["move", "draw"].map((mode) => {
        const choose = () => {
          act[mode]();
          modes.querySelector("[aria-pressed=true]").focus();
        };
        return h(
          "button",
          { type: "button", "aria-pressed": String(mode === now), onclick: choose },
          t(`ui.play.${mode}`),
        );
      }),
    );
    say(hint, t(`ui.play.hint_${now}`));
    refill(tools, now, () =>
      now === "draw"
        ? ["clear", "fit"].map(tool)
        : [...["reset", "another"].map(tool), pictureField()],
    );
  }

  function tool(name) {
    return h(
      "button",
      { type: "button", class: "small", "data-tool": name, onclick: () => act[name]() },
      t(`ui.play.${name}`),
    );
  }

  function pictureField() {
    const read = ({ target: { files } }) => {
      const reader = new FileReader();
      reader.onload = () => act.picture(reader.result.split(",")[1]);
      if (files[0]) reader.readAsDataURL(files[0]);
    };
    return h(
      "label",
      { class: "button small" },
      t("ui.play.picture"),
      h("input", { type: "file", class: "unseen", accept: "image/png,image/jpeg", onchange: read }),
    );
  }

  return { modes, hint, tools, show };
}

/** The shelf; `take(index)` when a digit is taken from it. */
export function shelf(take) {
  const digit = (index) => {
    const button = h("button", { type: "button", onclick: () => take(index) });
    get(`api/digits/${index}`).then(
      ({ label, pixels }) => {
        button.setAttribute("aria-label", t("ui.play.take", { digit: label }));
        fill(button, inked(bytes(pixels), SIDE, SIDE));
      },
      () => button.remove(),
    );
    return button;
  };
  return h(
    "div",
    { class: "shelf", role: "group", "aria-label": t("ui.play.shelf") },
    SHELF.map(digit),
  );
}

/** The sliders; `slid(change)` when one is moved, `show(place)` when the digit was. */
export function sliders(slid) {
  const rows = SLIDERS.map(([name, min, max, step, text]) => {
    const field = h("input", {
      type: "range",
      name,
      min,
      max,
      step,
      oninput: () => slid({ [name]: Number(field.value) }),
    });
    const output = h("output");
    return {
      name,
      field,
      output,
      text,
      element: h("label", {}, h("span", {}, t(`ui.play.${name}`)), field, output),
    };
  });
  return {
    element: h(
      "div",
      { class: "sliders" },
      rows.map((row) => row.element),
    ),
    show(place) {
      for (const { name, field, output, text } of rows) {
        field.value = place[name];
        say(output, text(place[name]));
      }
    },
  };
}
