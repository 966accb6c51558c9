// A digit drawn by hand: strokes on a fine grid, averaged down to what a network takes.

import { SIDE } from "./pixels.js";

const FINE = 10; // cells of the fine grid to a pixel
const PEN = 2.4; // pixels; about as wide as the strokes of MNIST's digits

/** A sheet to draw on. Points are in pixels of the small picture, from its upper left corner. */
export function sheet() {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE * FINE;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = PEN * FINE;

  return {
    /** A copy of the sheet, white on black as MNIST's digits are. */
    onPaper() {
      const copy = document.createElement("canvas");
      copy.width = copy.height = canvas.width;
      const paper = copy.getContext("2d");
      paper.fillRect(0, 0, copy.width, copy.height);
      paper.filter = "invert(1)";
      paper.drawImage(canvas, 0, 0);
      return copy;
    },

    /** Draw from one point to the next; a single dot where they are the same. */
    stroke([x0, y0], [x1, y1]) {
      context.beginPath();
      context.moveTo(x0 * FINE, y0 * FINE);
      context.lineTo(x1 * FINE + 0.01, y1 * FINE);
      context.stroke();
    },

    clear() {
      context.clearRect(0, 0, canvas.width, canvas.height);
    },

    /** The small picture, 784 bytes: the mean of the cells under each pixel. */
    pixels() {
      const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
      const sums = new Float64Array(SIDE * SIDE);
      for (let y = 0; y < canvas.height; y++) {
        const row = Math.floor(y / FINE) * SIDE;
        for (let x = 0; x < canvas.width; x++)
          sums[row + Math.floor(x / FINE)] += data[4 * (y * canvas.width + x) + 3];
      }
      return Uint8Array.from(sums, (sum) => Math.round(sum / FINE ** 2));
    },
  };
}
