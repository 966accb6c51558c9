// The top of every view: where one can go, what siffra is at work on, language and theme.

import { jobs, onJobs } from "./jobs.js";
import { fill, h, marked } from "./dom.js";
import { to } from "./route.js";
import { showShortcuts } from "./shortcuts.js";
import { nextTheme, theme } from "./theme.js";
import { chooseLanguage, otherLanguages, t } from "./words.js";

const top = document.querySelector(".top");
const lost = document.querySelector(".link-lost");
const skip = document.querySelector(".skip");
const SIGNS = { system: "◐", light: "☀", dark: "☾" };
const atWork = h("a", { class: "at-work", hidden: true });

/** Draw it, with `name` as the view that is shown; `restart` begins anew in the language chosen. */
export function drawTop(name, restart) {
  const place = (view) =>
    h("a", { href: to([view]), "aria-current": view === name && "page" }, t(`ui.nav.${view}`));
  fill(skip, t("ui.nav.skip"));
  fill(
    top,
    h("a", { class: "mark", href: to(["ask"]) }, "siffra"),
    h("nav", { "aria-label": t("ui.nav.label") }, ["ask", "judge", "playground", "labs", "runs"].map(place)),
    atWork,
    h(
      "div",
      { class: "switches" },
      otherLanguages().map((code) => languageSwitch(code, restart)),
      themeSwitch(),
      h("button", { type: "button", "aria-label": t("ui.keys.title"), onclick: showShortcuts }, "?"),
    ),
  );
  tell();
}

function languageSwitch(code, restart) {
  const choose = async () => {
    chooseLanguage(code);
    await restart();
    top.querySelector(".switches button").focus();
  };
  return h("button", { type: "button", lang: code, onclick: choose }, t(`ui.language.${code}`));
}

function themeSwitch() {
  const button = h("button", {
    type: "button",
    class: "theme",
    onclick: () => (nextTheme(), show()),
  });
  const show = () => {
    const name = t(`ui.theme.${theme()}`);
    fill(button, h("span", { "aria-hidden": "true" }, SIGNS[theme()]), h("span", { class: "wide" }, name));
    button.setAttribute("aria-label", name);
  };
  show();
  return button;
}

/** What is being trained at the moment, seen from every view. */
function tell() {
  const { linked, why, paused, queue, running } = jobs();
  const lab = running?.kind === "lab" ? running : null;
  atWork.hidden = !queue.length;
  atWork.classList.toggle("paused", paused);
  atWork.href = lab ? to(["ask"], new URLSearchParams({ lab: lab.id })) : to(["ask"]);
  const said = lab?.total
    ? t("ui.top.at_work", { done: lab.done, total: lab.total })
    : t("ui.top.busy");
  fill(atWork, paused ? t("ui.top.paused") : said);
  lost.hidden = linked;
  fill(lost, linked ? "" : marked(t(`ui.error.${why}`)));
}

// The address names a view: it is no place on this page.
skip.addEventListener("click", (event) => {
  event.preventDefault();
  document.getElementById("main").focus();
});
onJobs(tell);
