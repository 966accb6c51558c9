// What to try next, a line at a time: moved, a digit is lost to one network and not to the other.

import { h, say } from "../dom.js";
import { t } from "../words.js";

// A step is done when the place of the digit, or what the hand does, says so.
const STEPS = [
  ["move", ({ place }) => Math.hypot(place.dx, place.dy) >= 4.5],
  ["turn", ({ place }) => Math.abs(place.angle) >= 30],
  ["draw", ({ mode }) => mode === "draw"],
];

/** The lesson: its line, and `seen(state)` with every change of the digit. */
export function lesson() {
  const element = h("p", { class: "lesson", role: "status" });
  let step = 0;

  function seen(state) {
    while (step < STEPS.length && STEPS[step][1](state)) step += 1;
    say(element, t(`ui.play.lesson.${STEPS[step]?.[0] ?? "over"}`));
  }

  return { element, seen };
}
