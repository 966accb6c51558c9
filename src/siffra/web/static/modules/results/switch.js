// A row of buttons of which one is pressed: which set, or which metric, is shown.

import { fill, h } from "../dom.js";
import { t } from "../words.js";

/** For each of `names` a button, called `label(name)`; `chosen(name)` when another is pressed. */
export function switchOf(names, label, chosen, now = names[0]) {
  const host = h("div", { class: "choices", role: "group", "aria-label": t("ui.question.set") });

  function draw(on) {
    const button = (name) => {
      const press = () => {
        draw(name);
        host.querySelector("[aria-pressed=true]").focus();
        chosen(name);
      };
      return h("button", { type: "button", "aria-pressed": String(name === on), onclick: press }, label(name));
    };
    fill(host, names.map(button));
  }

  draw(now);
  return host;
}
