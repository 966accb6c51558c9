// Where a network is good: accuracy by how far digits were moved, and by how far they were turned.

import { cividis } from "../colours.js";
import { fill, h, s, say } from "../dom.js";
import { percent, t } from "../words.js";

/** Both maps in `host`; `went(change)` when the hand picks a place. `show(examination)`,
 *  then `here(place)`. */
export function maps(host, went) {
  const canvas = h("canvas");
  const spot = h("i", { class: "spot" });
  const square = h("div", { class: "shift-map", role: "img" }, canvas, spot);
  const shiftText = h("p", { class: "soft" });
  const line = s("polyline", { class: "curve" });
  const needle = s("line", { class: "needle", y1: 0, y2: 40 });
  const strip = s(
    "svg",
    { class: "angle-map", viewBox: "0 0 180 40", preserveAspectRatio: "none", role: "img" },
    s("line", { class: "floor", x1: 0, x2: 180, y1: 39.5, y2: 39.5 }),
    line,
    needle,
  );
  const angleText = h("p", { class: "soft" });
  fill(
    host,
    h("div", { class: "map" }, h("h4", {}, t("ui.play.map_shift")), square, shiftText),
    h("div", { class: "map" }, h("h4", {}, t("ui.play.map_angle")), strip, angleText),
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
  }

  function drawAngles() {
    const points = found.degrees.map((angle, i) => [across(angle), found.turned[i]]);
    line.setAttribute(
      "points",
      points.map(([x, share]) => `${x},${2 + 36 * (1 - share)}`).join(" "),
    );
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

function clamp(value, at) {
  return Math.min(at.at(-1), Math.max(at[0], value));
}

function nearest(at, value) {
  return at.reduce(
    (best, each, i) => (Math.abs(each - value) < Math.abs(at[best] - value) ? i : best),
    0,
  );
}
