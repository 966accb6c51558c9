// The piece of a level's line that stands beside its name in a legend.

import { levelStyle } from "../colours.js";
import { s } from "../dom.js";

/** A picture of the line that level number `index` is drawn with. */
export function lineSample(index) {
  const { colour, dashes } = levelStyle(index);
  const line = s("line", {
    x1: 0,
    x2: 29,
    y1: 6,
    y2: 6,
    "stroke-width": 2.5,
    "stroke-dasharray": dashes.join(" "),
  });
  line.style.stroke = `var(${colour})`;
  return s("svg", { viewBox: "0 0 29 12", "aria-hidden": "true" }, line);
}
