// Names at the ends of lines: buttons that take a line out of the picture, and bring it back.

import { fill, h, refill } from "../dom.js";
import { lineSample } from "./sample.js";

const ROW = 19; // CSS pixels that a name takes

/** How high a chart must be for so many names. */
export function heightFor(names) {
  return ROW * names + 50;
}

/** The names, to be laid over a chart; `toggled(index)` when one is pressed. */
export function endNames(toggled) {
  const list = h("ul", { class: "ends" });

  /** Show `names`, `[{ index, name, shown, y }]`: `y` is where its line ends, in CSS pixels. */
  function show(names, height) {
    refill(list, [names.map(({ index, name, shown }) => [index, name, shown])], () => names.map(entry));
    const sorted = names.map(({ y }, i) => ({ i, y })).sort((a, b) => a.y - b.y);
    spread(sorted, height).forEach(({ i, y }) => list.children[i].style.setProperty("--y", `${y}px`));
  }

  function entry({ index, name, shown }) {
    const press = () => {
      toggled(index);
      list.querySelector(`[data-index="${index}"]`).focus();
    };
    return h(
      "li",
      {},
      h(
        "button",
        { type: "button", title: name, "aria-pressed": String(shown), "data-index": index, onclick: press },
        lineSample(index),
        h("span", {}, name),
      ),
    );
  }

  return { list, show, clear: () => fill(list) };
}

// Apart from each other, and as near to where they belong as that allows.
function spread(sorted, height) {
  let below = -Infinity;
  for (const each of sorted) below = each.y = Math.max(each.y, below + ROW, ROW / 2);
  let above = height - ROW / 2;
  for (const each of [...sorted].reverse()) {
    each.y = Math.min(each.y, above);
    above = each.y - ROW;
  }
  return sorted;
}
