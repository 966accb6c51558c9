// The page's words in the language of the moment, from the same catalogues as the report.

const KEY = "siffra-language";
let catalogue = {};
const LANGUAGES = document.documentElement.dataset.languages.split(" ");
const BUSY = 1.3; // a prediction that may be so many times too short is told as a range

/** The language in which this browser wants the page: what was chosen here, else its own. */
export function wantedLanguage() {
  const wished = [localStorage.getItem(KEY), ...navigator.languages.map((tag) => tag.slice(0, 2))];
  return wished.find((code) => LANGUAGES.includes(code)) ?? LANGUAGES[0];
}

/** Keep the choice of a language. */
export function chooseLanguage(code) {
  localStorage.setItem(KEY, code);
}

/** Speak as the server's `words` say: `{ language, texts }`. */
export function speak(words) {
  catalogue = words.texts;
  document.documentElement.lang = words.language;
}

/** The languages that are not spoken at the moment. */
export function otherLanguages() {
  return LANGUAGES.filter((code) => code !== language());
}

/** The language that is spoken. */
export function language() {
  return document.documentElement.lang;
}

/** A point in time, as people of this language and place write it. */
export function moment(iso, style = { dateStyle: "medium", timeStyle: "short" }) {
  const place = navigator.languages.find((tag) => tag.startsWith(language())) ?? language();
  return new Date(iso).toLocaleString(place, style);
}

/** The text for `key` with `values` put in. */
export function t(key, values = {}) {
  const text = catalogue[key] ?? key;
  return text.replace(/{(\w+)}/g, (whole, name) => values[name] ?? whole);
}

/** The text for `n` things: `key.one` or `key.other`. */
export function count(key, n, values = {}) {
  return t(`${key}.${n === 1 ? "one" : "other"}`, { n, ...values });
}

/** `a, b and c`; with semicolons where one of them has commas of its own. */
export function listing(texts) {
  const mark = texts.some((text) => text.includes(", ")) ? "; " : ", ";
  return `${texts.slice(0, -1).join(mark)} ${t("and")} ${texts.at(-1)}`;
}

/** `text` with its first letter large. */
export function capital(text) {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Whether there is a text for `key`. */
export function has(key) {
  return key in catalogue;
}

/** The keys in a table of the catalogue, in its order: `set` has train, val, test, … */
export function keysIn(table) {
  const prefix = `${table}.`;
  const keys = Object.keys(catalogue).filter((key) => key.startsWith(prefix));
  return keys.map((key) => key.slice(prefix.length));
}

/** A number in this language's notation, with so many decimals. */
export function number(value, decimals = 0) {
  if (value === null || !Number.isFinite(value)) return "–";
  return value.toFixed(decimals).replace("-", "−").replace(".", t("decimal"));
}

/** A number as it was typed: 0.02, 1024. */
export function exact(value) {
  return String(value).replace("-", "−").replace(".", t("decimal"));
}

/** A number of which nobody knows how exact it is: six digits of it. */
export function measure(value) {
  return value === null ? "–" : exact(Number(value.toPrecision(6)));
}

/** A fraction in per cent: "97.1 %". */
export function percent(fraction, decimals = 1) {
  return fraction === null ? "–" : `${number(100 * fraction, decimals)}\u00a0%`;
}

/** A prediction of a time: one length, or two where the machine is too busy to tell. */
export function span(least, most) {
  if (!(most > BUSY * least)) return t("ui.time.about", { time: duration(least) });
  return t("ui.time.span", { least: duration(least), most: duration(most) });
}

/** A length of time for people: "8 s", "2 min", "1 h 5 min". */
export function duration(seconds) {
  if (seconds < 60) return t("ui.time.seconds", { n: Math.max(1, Math.ceil(seconds)) });
  const minutes = Math.ceil(seconds / 60);
  if (minutes < 60) return t("ui.time.minutes", { n: minutes });
  return t("ui.time.hours", { hours: Math.floor(minutes / 60), n: minutes % 60 });
}
