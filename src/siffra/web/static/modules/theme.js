// Light, dark, or as the system has it; the choice is kept in this browser.
//
// Loaded first and on its own, so that a page is never drawn in the wrong colours.

const KEY = "siffra-theme";
const CHOICES = ["system", "light", "dark"];

/** What is chosen: "system", "light" or "dark". */
export function theme() {
  return document.documentElement.dataset.theme ?? "system";
}

/** Choose the next theme; whoever draws on a canvas hears a "themechange" on the window. */
export function nextTheme() {
  const next = CHOICES[(CHOICES.indexOf(theme()) + 1) % CHOICES.length];
  localStorage.setItem(KEY, next);
  show(next);
}

function show(choice) {
  if (CHOICES.indexOf(choice) > 0) document.documentElement.dataset.theme = choice;
  else delete document.documentElement.dataset.theme;
  window.dispatchEvent(new Event("themechange"));
}

show(localStorage.getItem(KEY));
window
  .matchMedia("(prefers-color-scheme: dark)")
  .addEventListener("change", () => window.dispatchEvent(new Event("themechange")));
