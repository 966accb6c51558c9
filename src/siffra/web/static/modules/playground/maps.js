// Where a network is good: accuracy by how far digits were moved, and by how far they were turned.

import { cividis } from "../colours.js";
import { fill, h, s, say } from "../dom.js";
import { exact, percent, t } from "../words.js";

/** Both maps in `host`; `went(change)` when the hand picks a place. `show(examination)`,
 *  then `here(place)`. */
export function maps(host, went) {
  const canvas = h("canvas");
  const spot = h("i", { class: "spot" });
  const edge = s("path", { class: "edge" });
  const outline = s("svg", { preserveAspectRatio: "none", "aria-hidden": "true" }, edge);
  const square = h("div", { class: "shift-map", role: "img" }, canvas, outline, spot);
  const shiftText = h("p", { class: "soft" });
  const line = s("polyline", { class: "curve" });
  const needle = s("line", { class: "needle", y1: 0, y2: 40 });
  const strip = s(
    "svg",
    { class: "angle-map", viewBox: "0 0 180 40", preserveAspectRatio: "none", role: "img" },
    s("line", { class: "floor", x1: 0, x2: 180, y1: 39.5, y2: 39.5 }),
    s("line", { class: "half", x1: 0, x2: 180, y1: 20, y2: 20 }),
    line,
    needle,
  );
  const angleText = h("p", { class: "soft" });
  const shiftAxes = axes();
  const angleAxes = axes();
  fill(
    host,
    h("div", { class: "map" }, h("h3", {}, t("ui.play.map_shift")), framed(square, shiftAxes), scale(), shiftText),
    h("div", { class: "map" }, h("h3", {}, t("ui.play.map_angle")), framed(strip, angleAxes), angleText),
  );
  host.hidden = true;
  let found = null; // the examination
  let place = null;

  function show(examination) {
    found = examination;
    host.hidden = false;
    drawShifts();
    drawAngles();
    if (place) here(place);
  }

  function drawShifts() {
    const { accuracy } = found.map;
    canvas.height = accuracy.length;
    canvas.width = accuracy[0].length;
    const context = canvas.getContext("2d");
    const picture = context.createImageData(canvas.width, canvas.height);
    accuracy.flat().forEach((share, i) => picture.data.set([...cividis(share), 255], 4 * i));
    context.putImageData(picture, 0, 0);
    outline.setAttribute("viewBox", `0 0 ${canvas.width} ${canvas.height}`);
    edge.setAttribute("d", borders(accuracy));
    const { at } = found.map;
    const ends = [at[0], 0, at.at(-1)].map(signed);
    shiftAxes.show(ends, [ends[0], ends[1], t("ui.play.pixels", { n: ends[2] })]);
  }

  function drawAngles() {
    const points = found.degrees.map((angle, i) => [across(angle), found.turned[i]]);
    line.setAttribute(
      "points",
      points.map(([x, share]) => `${x},${2 + 36 * (1 - share)}`).join(" "),
    );
    const { degrees } = found;
    const ends = [degrees[0], 0, degrees.at(-1)].map((n) => t("ui.play.degrees", { n: signed(n) }));
    angleAxes.show([1, 0.5, 0].map((share) => percent(share, 0)), ends);
  }

  const across = (angle) => {
    const { degrees } = found;
    return (180 * (angle - degrees[0])) / (degrees.at(-1) - degrees[0]);
  };

  function here(next) {
    place = next;
    if (!found) return;
    const { at, accuracy } = found.map;
    const half = (at[1] - at[0]) / 2; // a cell reaches so far around its point
    const share = (value) => (clamp(value, at) - at[0] + half) / (at.at(-1) - at[0] + 2 * half);
    spot.style.left = `${100 * share(place.dx)}%`;
    spot.style.top = `${100 * share(place.dy)}%`;
    const shifted = accuracy[nearest(at, place.dy)][nearest(at, place.dx)];
    say(shiftText, t("ui.play.here", { accuracy: percent(shifted, 0), n: found.images.map }));
    const x = across(place.angle);
    needle.setAttribute("x1", x);
    needle.setAttribute("x2", x);
    const turned = found.turned[nearest(found.degrees, place.angle)];
    say(angleText, t("ui.play.here", { accuracy: percent(turned, 0), n: found.images.curve }));
    square.setAttribute("aria-label", `${t("ui.play.map_shift")}. ${shiftText.textContent}`);
    strip.setAttribute("aria-label", `${t("ui.play.map_angle")}. ${angleText.textContent}`);
  }

  function goTo(event) {
    if (!found || (event.type === "pointermove" && !event.buttons)) return;
    const box = event.currentTarget.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const { at } = found.map;
    const half = (at[1] - at[0]) / 2;
    const shift = (share) =>
      clamp(Math.round(at[0] - half + share * (at.at(-1) - at[0] + 2 * half)), at);
    const { degrees } = found;
    if (event.currentTarget === square) went({ dx: shift(x), dy: shift(y) });
    else went({ angle: clamp(degrees[0] + x * (degrees.at(-1) - degrees[0]), degrees) });
  }

  for (const each of [square, strip]) {
    each.addEventListener("pointerdown", goTo);
    each.addEventListener("pointermove", goTo);
  }
  return { show, here };
}

// The numbers at the left and below: three each.
function axes() {
  const [left, below] = ["left", "below"].map((side) =>
    h("div", { class: `ticks ${side}`, "aria-hidden": "true" }),
  );
  const show = (ofLeft, ofBelow) => {
    fill(left, ofLeft.map((text) => h("span", {}, text)));
    fill(below, ofBelow.map((text) => h("span", {}, text)));
  };
  return { left, below, show };
}

function framed(picture, { left, below }) {
  return h("div", { class: "framed" }, left, picture, below);
}

// What the colours mean.
function scale() {
  const ends = [0, 0.5, 1].map((share) => h("span", {}, percent(share, 0)));
  return h("div", { class: "colour-scale", "aria-hidden": "true" }, h("i"), h("div", {}, ends));
}

// A line round the places where more than half of the digits are read right.
function borders(accuracy) {
  const good = (y, x) => accuracy[y]?.[x] >= 0.5;
  return accuracy
    .flatMap((row, y) =>
      row.map((_, x) => {
        const right = x + 1 < row.length && good(y, x) !== good(y, x + 1) ? `M${x + 1} ${y}v1` : "";
        const under = y + 1 < accuracy.length && good(y, x) !== good(y + 1, x) ? `M${x} ${y + 1}h1` : "";
        return right + under;
      }),
    )
    .join("");
}

function signed(n) {
  return `${n > 0 ? "+" : ""}${exact(n)}`;
}

function clamp(value, at) {
  return Math.min(at.at(-1), Math.max(at[0], value));
}

function nearest(at, value) {
  return at.reduce(
    (best, each, i) => (Math.abs(each - value) < Math.abs(at[best] - value) ? i : best),
    0,
  );
}
