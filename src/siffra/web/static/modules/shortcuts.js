// Keys that work on every view, and a list of them.

import { fill, h } from "./dom.js";
import { go, here } from "./route.js";
import { t } from "./words.js";

let looking = null; // the field that is to be focused, as soon as it is there
const dialog = h("dialog", { class: "shortcuts", "aria-labelledby": "shortcuts" });
const KEYS = {
  n: ["new", () => focusIn("ask", "levels-0")],
  "/": ["find", () => focusIn("runs", "where")],
  "?": ["help", showShortcuts],
};

/** Show which keys there are. */
export function showShortcuts() {
  fill(
    dialog,
    h("h2", { id: "shortcuts" }, t("ui.keys.title")),
    h(
      "dl",
      { class: "facts" },
      Object.entries(KEYS).map(([key, [name]]) => [
        h("dt", {}, h("kbd", {}, key)),
        h("dd", {}, t(`ui.keys.${name}`)),
      ]),
    ),
    h("button", { type: "button", onclick: () => dialog.close() }, t("ui.keys.close")),
  );
  if (!dialog.isConnected) document.body.append(dialog);
  if (!dialog.open) dialog.showModal();
}

/** Go to the view unless it is shown, and to its field as soon as that is there. */
function focusIn(view, id) {
  const { path } = here();
  if ((path[0] ?? "ask") !== view || path[1]) go([view]);
  const until = performance.now() + 3000;
  const look = () => {
    const field = document.getElementById(id);
    if (looking !== look) return;
    if (field) field.focus();
    else if (performance.now() < until) requestAnimationFrame(look);
  };
  looking = look;
  setTimeout(look);
}

document.addEventListener("keydown", (event) => {
  const isTaken = event.target.closest?.("input, select, textarea, [role=application], dialog");
  if (isTaken || event.ctrlKey || event.metaKey || event.altKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key][1]();
});
