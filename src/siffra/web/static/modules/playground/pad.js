// The pad: a digit under the hand. It is dragged, turned and scaled, or drawn.
//
// What is seen here is a preview, so that the hand never waits; the networks get the picture that
// the server makes of the same numbers.

import { fill, h } from "../dom.js";
import { t } from "../words.js";
import { sheet } from "./drawing.js";
import { SIDE, inked } from "./pixels.js";
import { AT_REST, within } from "./place.js";

const DOTS = 20; // canvas dots to a pixel
const STEP = { move: 1, turn: 5, scale: 1.1, pen: 0.5 };
const MIDDLE = SIDE / 2;

/**
 * A pad in `host`. It calls `placed(place)` when the hand has moved the digit, and `drawn(bytes)`
 * when it has drawn. Give it what there is with `show({ pixels, place, drawing })`.
 */
export function pad(host, { placed, drawn }) {
  const canvas = h("canvas", { width: SIDE * DOTS, height: SIDE * DOTS });
  const handle = h("div", {
    class: "handle",
    tabindex: 0,
    role: "slider",
    "aria-label": t("ui.play.turn"),
    "aria-valuemin": -180,
    "aria-valuemax": 180,
  });
  const stage = h("div", { class: "stage", tabindex: 0, role: "application" }, canvas);
  fill(host, stage, handle);
  const context = canvas.getContext("2d");
  const paper = sheet();
  const fingers = new Map();
  const pen = { at: [MIDDLE, MIDDLE], down: false, shown: false };
  let now = { pixels: new Uint8Array(SIDE * SIDE), place: AT_REST, drawing: false };
  let picture = null;

  function show(next) {
    if (next.drawing && !now.drawing) pen.shown = false;
    now = next;
    picture = inked(now.pixels, SIDE, SIDE);
    stage.setAttribute("aria-label", t(now.drawing ? "ui.play.pad_draw" : "ui.play.pad_move"));
    stage.classList.toggle("drawing", now.drawing);
    redraw();
  }

  function redraw() {
    const { place } = now;
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.save();
    context.scale(DOTS, DOTS);
    context.translate(MIDDLE + place.dx, MIDDLE + place.dy);
    context.rotate((-place.angle * Math.PI) / 180);
    context.scale(place.scale, place.scale);
    context.imageSmoothingQuality = "high";
    if (picture) context.drawImage(picture, -MIDDLE, -MIDDLE);
    context.restore();
    if (now.drawing && pen.shown) drawPen();
    const turned = (place.angle * Math.PI) / 180;
    handle.hidden = now.drawing;
    handle.style.left = `${50 - 46 * Math.sin(turned)}%`;
    handle.style.top = `${50 - 46 * Math.cos(turned)}%`;
    handle.setAttribute("aria-valuenow", place.angle);
    handle.setAttribute("aria-valuetext", t("ui.play.degrees", { n: place.angle }));
  }

  function drawPen() {
    const [x, y] = pen.at.map((value) => value * DOTS);
    context.beginPath();
    context.arc(x, y, 1.2 * DOTS, 0, 2 * Math.PI);
    context.lineWidth = 3;
    context.strokeStyle = "#ff4d6d";
    if (pen.down) context.setLineDash([]);
    else context.setLineDash([6, 6]);
    context.stroke();
    context.setLineDash([]);
  }

  function place(change) {
    placed(within({ ...now.place, ...change }));
  }

  // Where an event is on the pad, in pixels of the small picture.
  function point(event) {
    const box = stage.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * SIDE,
      ((event.clientY - box.top) / box.height) * SIDE,
    ];
  }

  function press(event) {
    if (event.button > 0) return;
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, point(event));
    pen.shown = false;
    if (now.drawing && fingers.size === 1) ink(point(event), point(event));
  }

  function move(event) {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const after = point(event);
    if (now.drawing) ink(before, after);
    else if (fingers.size === 1) {
      place({ dx: now.place.dx + after[0] - before[0], dy: now.place.dy + after[1] - before[1] });
    } else pinch(event.pointerId, before, after);
    fingers.set(event.pointerId, after);
  }

  // Two fingers turn and scale: by how the line between them changes.
  function pinch(id, before, after) {
    const other = [...fingers].find(([key]) => key !== id)[1];
    const line = ([x, y]) => [x - other[0], y - other[1]];
    const [a, b] = [line(before), line(after)];
    const grown = Math.hypot(...b) / Math.max(1, Math.hypot(...a));
    const turned = Math.atan2(a[1], a[0]) - Math.atan2(b[1], b[0]);
    place({ angle: now.place.angle + (turned * 180) / Math.PI, scale: now.place.scale * grown });
  }

  function lift(event) {
    fingers.delete(event.pointerId);
  }

  function ink(from, to) {
    paper.stroke(from, to);
    drawn(paper.pixels());
  }

  function wheel(event) {
    if (now.drawing) return;
    event.preventDefault();
    if (event.shiftKey)
      place({ angle: now.place.angle - Math.sign(event.deltaY || event.deltaX) * 3 });
    else place({ scale: now.place.scale * (event.deltaY < 0 ? 1.05 : 1 / 1.05) });
  }

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const done = now.drawing ? penKey(event) : placeKey(event);
    if (done) event.preventDefault();
  }

  function placeKey(event) {
    const { dx, dy, angle, scale } = now.place;
    const arrow = arrows[event.key];
    if (arrow && event.shiftKey) place({ angle: angle - STEP.turn * (arrow[0] + arrow[1]) });
    else if (arrow) place({ dx: dx + STEP.move * arrow[0], dy: dy + STEP.move * arrow[1] });
    else if (event.key === "+" || event.key === "=") place({ scale: scale * STEP.scale });
    else if (event.key === "-") place({ scale: scale / STEP.scale });
    else if (event.key === "0" || event.key === "Home") place(AT_REST);
    else return false;
    return true;
  }

  // A pen for the keyboard: arrows move it, the space bar sets it down and lifts it.
  function penKey(event) {
    const arrow = arrows[event.key];
    if (arrow) {
      const next = pen.at.map((value, i) =>
        Math.min(SIDE - 1, Math.max(1, value + STEP.pen * arrow[i])),
      );
      pen.shown = true;
      if (pen.down) ink(pen.at, next);
      pen.at = next;
    } else if (event.key === " ") {
      pen.shown = true;
      pen.down = !pen.down;
      if (pen.down) ink(pen.at, pen.at);
    } else return false;
    redraw();
    return true;
  }

  function turnKey(event) {
    const by = { ArrowLeft: 1, ArrowUp: 1, ArrowRight: -1, ArrowDown: -1 }[event.key];
    if (by) place({ angle: now.place.angle + by * (event.shiftKey ? 1 : STEP.turn) });
    else if (event.key === "Home") place({ angle: 0 });
    else return;
    event.preventDefault();
  }

  function turnTo(event) {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const [x, y] = point(event);
    place({ angle: (Math.atan2(MIDDLE - x, MIDDLE - y) * 180) / Math.PI });
  }

  stage.addEventListener("pointerdown", press);
  stage.addEventListener("pointermove", move);
  stage.addEventListener("pointerup", lift);
  stage.addEventListener("pointercancel", lift);
  stage.addEventListener("wheel", wheel, { passive: false });
  stage.addEventListener("keydown", key);
  handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
  handle.addEventListener("pointermove", turnTo);
  handle.addEventListener("keydown", turnKey);

  return { show, clear: () => paper.clear(), sheet: () => paper.onPaper() };
}
