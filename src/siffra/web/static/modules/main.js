// The page: learns the words, then shows the view that the address names.

import { follow } from "./jobs.js";
import { fill } from "./dom.js";
import { go, here } from "./route.js";
import { get, latest, leaveView, refusalOf } from "./server.js";
import { drawTop } from "./top.js";
import { speak, t, wantedLanguage } from "./words.js";
import { ask } from "./ask/view.js";
import { onDrop } from "./judge/drop.js";
import { judge, take } from "./judge/view.js";
import { playground } from "./playground/view.js";
import { labs } from "./results/labs.js";
import { runs } from "./results/runs.js";

const VIEWS = { ask, judge, playground, labs, runs };
const main = document.getElementById("main");
const newest = latest();
let leave = () => {};

/** Show the view in the address; the one before is told to leave. */
function show() {
  const place = here();
  const name = place.path[0] in VIEWS ? place.path[0] : "ask";
  leave();
  leaveView();
  fill(main);
  document.title = `${t(`ui.nav.${name}`)} · siffra`;
  drawTop(name, restart);
  leave = VIEWS[name](main, place) ?? (() => {});
}

/** Begin in the language that is wanted, or begin anew in another. */
async function restart() {
  speak(await newest(wantedWords()));
  follow();
  show();
}

async function wantedWords() {
  const words = await get("api/words?lang=en", { outlives: true });
  const wanted = wantedLanguage(words.languages);
  return wanted === words.language ? words : get(`api/words?lang=${wanted}`, { outlives: true });
}

window.addEventListener("hashchange", () => {
  show();
  window.scrollTo(0, 0);
  main.focus({ preventScroll: true });
});

// A table is judged wherever it is dropped.
onDrop(([file]) => file && (take(file) || go(["judge"])));

restart().catch((error) => fill(main, refusalOf(error)));
