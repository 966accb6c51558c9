// Pictures of 28 x 28 as the server sends them (base64, a byte a pixel), and how they are drawn.

import { colour } from "../colours.js";

export const SIDE = 28;

/** Base64 to bytes. */
export function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** Bytes to base64. */
export function base64(array) {
  return btoa(String.fromCharCode(...array));
}

/** A canvas of its own with `values` (0…255) as so much ink, in the page's ink or the colour named. */
export function inked(values, width, height, name = "--ink") {
  const canvas = document.createElement("canvas");
  paint(canvas, values, width, height, name);
  return canvas;
}

/** The same on a canvas that is there. */
export function paint(canvas, values, width, height, name = "--ink") {
  const [red, green, blue] = colour(name).match(/\d+/g).map(Number);
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const picture = context.createImageData(width, height);
  values.forEach((value, i) => picture.data.set([red, green, blue, value], 4 * i));
  context.putImageData(picture, 0, 0);
}
