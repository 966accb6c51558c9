// The page: learns the words, then shows the view that the address names.

import { follow } from "./jobs.js";
import { fill } from "./dom.js";
import { go, here } from "./route.js";
import { get, getEarly, latest, leaveView, onceThere, refusalOf } from "./server.js";
import { drawTop } from "./top.js";
import { speak, t, wantedLanguage } from "./words.js";
import { onDrop } from "./judge/drop.js";

const AFTER_THE_FIRST = 1500; // ms

// Each comes when it is wanted, or a moment after the first, which the page names ahead.
const VIEWS = {
  ask: () => import("./ask/view.js"),
  judge: () => import("./judge/view.js"),
  playground: () => import("./playground/view.js"),
  labs: () => import("./results/labs.js"),
  runs: () => import("./results/runs.js"),
};
const main = document.getElementById("main");
const newest = latest();
let leave = () => {};

/** Show the view in the address; the one before is told to leave. */
function show() {
  const place = here();
  const name = nameOf(place);
  leave();
  leaveView();
  fill(main);
  document.title = `${t(`ui.nav.${name}`)} · siffra`;
  drawTop(name, restart);
  leave = onceThere(
    VIEWS[name](),
    (module) => module[name](main, place),
    (error) => fill(main, refusalOf(error)),
  );
}

function nameOf({ path }) {
  return path[0] in VIEWS ? path[0] : "ask";
}

/** Begin in the language that is wanted, or begin anew in another. */
async function restart() {
  const lang = `lang=${wantedLanguage()}`;
  // What the first view asks for, while it is on its way itself.
  if (nameOf(here()) === "ask") getEarly([`api/knobs?${lang}`, "api/datasets", "api/jobs"]);
  speak(await newest(get(`api/words?${lang}`, { outlives: true })));
  follow();
  show();
}

window.addEventListener("hashchange", () => {
  show();
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
});

// A table is judged wherever it is dropped.
onDrop(async ([file]) => {
  if (file && !(await VIEWS.judge()).take(file)) go(["judge"]);
});

// To be there at once when they are wanted, even if the server is gone by then.
setTimeout(() => Object.values(VIEWS).forEach((view) => view().catch(() => {})), AFTER_THE_FIRST);

restart().catch((error) => fill(main, refusalOf(error)));
