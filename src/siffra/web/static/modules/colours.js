// The stylesheet's colours, for canvases: what `var(--name)` comes to in the theme of the moment.

const probe = document.createElement("i");
let known = new Map();
window.addEventListener("themechange", () => (known = new Map()));

/** The colour of a custom property, as `rgb(…)`: colour("--ink"). */
export function colour(name) {
  if (!known.has(name)) {
    if (!probe.isConnected) document.documentElement.append(probe);
    probe.style.color = `var(${name})`;
    known.set(name, getComputedStyle(probe).color);
  }
  return known.get(name);
}

/** The same with an opacity. */
export function faded(name, opacity) {
  return colour(name).replace(/rgba?\(([^,]+,[^,]+,[^,)]+).*/, `rgba($1, ${opacity})`);
}

const COLOURS = 8;
const SOLID = 3; // so many lines can be told apart by colour alone, by everybody
const DASHES = [[6, 3], [2, 2], [9, 3, 2, 3], [12, 4], [5, 2, 2, 2, 2, 2]];

/** How level number `index` is drawn everywhere: its colour's name and its dashes. */
export function levelStyle(index) {
  const dashes = index < SOLID ? [] : DASHES[(index - SOLID) % DASHES.length];
  return { colour: `--level-${index % COLOURS}`, dashes };
}

/** Cividis (Nunez et al. 2018), from 0 to 1: even steps look even, for colour-blind people too. */
export function cividis(share) {
  const at = Math.max(0, Math.min(1, share)) * (CIVIDIS.length - 1);
  const low = Math.min(Math.floor(at), CIVIDIS.length - 2);
  return CIVIDIS[low].map((c, i) => Math.round(c + (at - low) * (CIVIDIS[low + 1][i] - c)));
}

const CIVIDIS = [
  [0, 34, 78],
  [18, 53, 112],
  [59, 73, 108],
  [87, 93, 109],
  [112, 113, 115],
  [138, 134, 120],
  [165, 156, 116],
  [195, 179, 105],
  [225, 204, 85],
  [254, 232, 56],
];
