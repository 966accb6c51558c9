// Where a digit is, and which digit, as the address of the view tells it.

import { here, remember } from "../route.js";

const LIMIT = { move: 20, least: 0.3, most: 2.5 };
const TEST_DIGITS = 10000;

/** Untouched: shifts in pixels to the right and down, degrees counter-clockwise, and a factor. */
export const AT_REST = { dx: 0, dy: 0, angle: 0, scale: 1 };

/** `place` within what the pad allows, rounded to what can be told apart. */
export function within({ dx, dy, angle, scale }) {
  return {
    dx: round(clamp(dx, -LIMIT.move, LIMIT.move), 10),
    dy: round(clamp(dy, -LIMIT.move, LIMIT.move), 10),
    angle: round(((((angle + 180) % 360) + 360) % 360) - 180, 2),
    scale: round(clamp(scale, LIMIT.least, LIMIT.most), 100),
  };
}

/** What an address asks for: `{ digit, place, models }`; no digit is null. */
export function fromQuery(query) {
  const place = Object.entries(AT_REST).map(([name, rest]) => [
    name,
    finite(query.get(name)) ?? rest,
  ]);
  const digit = query.has("digit") ? Number(query.get("digit")) : NaN;
  return {
    digit: Number.isInteger(digit) && digit >= 0 && digit < TEST_DIGITS ? digit : null,
    place: within(Object.fromEntries(place)),
    models: query.get("models")?.split(",").filter(Boolean) ?? [],
  };
}

/** Keep it in the address. */
export function keep({ digit, place, models }) {
  const next = new URLSearchParams();
  if (digit !== null) next.set("digit", digit);
  for (const [name, rest] of Object.entries(AT_REST))
    if (place[name] !== rest) next.set(name, place[name]);
  if (models.length) next.set("models", models.join(","));
  if (String(next) !== String(here().query)) remember(next);
}

/** Any digit of the test set. */
export function anyDigit() {
  return Math.floor(Math.random() * TEST_DIGITS);
}

// A number that someone has typed into an address; null if it is none.
function finite(text) {
  const value = text?.trim() ? Number(text) : NaN;
  return Number.isFinite(value) ? value : null;
}

function clamp(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

function round(value, parts) {
  return Math.round(value * parts) / parts;
}
