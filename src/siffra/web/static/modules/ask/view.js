// Ask: turn a knob, see what it costs, start it, and watch the answer come.

import { jobs, onJobs } from "../jobs.js";
import { fill, h, say } from "../dom.js";
import { go, here, remember } from "../route.js";
import { Refused, get, latest, onceThere, post, tellRefusal } from "../server.js";
import { costText } from "../results/badges.js";
import { language, t } from "../words.js";
import { earlier } from "./earlier.js";
import { sentence } from "./sentence.js";
import { firstSetup, fromAsk, fromQuery, toAsk, toQuery } from "./setup.js";

// Charts and all: they come while the form is drawn, and what it costs is asked.
const answering = import("./answer.js");
const exemplifying = import("./example.js");

const PATIENCE = 250; // ms without a change before the server is asked what it costs

const EXAMPLES = [
  ["batch", "model=dense&vary=batch_size:9,10,11&epochs=3&seeds=8"],
  ["neurons", "model=dense&vary=neurons:4,8,16,32,64,512&epochs=3&seeds=5"],
  ["models", "vary=model:dense,conv&epochs=3&seeds=5"],
  ["kernel", "model=conv&vary=kernel_size:4,8,12&vary=strides:1,2,4&epochs=2&seeds=3"],
  ["layers", "model=dense&vary=layers:1,4,16&epochs=3&seeds=5"],
];

/** The view in `main`, at `place`. Returns what ends it. */
export function ask(main, place) {
  const form = h("form", { class: "ask", "aria-label": t("ui.ask.title"), onsubmit: start });
  const sentenceHost = h("div");
  const cost = h("p", { class: "cost soft", role: "status" });
  const refusal = h("p", { class: "refusal", role: "alert", id: "refusal" });
  const button = h(
    "button",
    { type: "submit", class: "primary", disabled: true },
    t("ui.ask.start"),
  );
  const examples = h(
    "p",
    { class: "examples soft" },
    t("ui.ask.examples"),
    " ",
    EXAMPLES.map(example),
  );
  const answerHost = h("article", { class: "answering", tabindex: -1 });
  const aside = h("aside", { class: "side", hidden: true });
  fill(
    main,
    h("h1", { class: "unseen" }, t("ui.ask.title")),
    form,
    h("div", { class: "with-side" }, answerHost, aside),
  );
  fill(form, sentenceHost, refusal, h("div", { class: "row" }, button, cost), examples);

  let setup = null;
  let shown = { id: null, leave: () => {} };
  const newest = latest();
  let timer = null;
  let over = false;
  let gone = ""; // what the address asked for and is not there; said until the form is changed
  const list = earlier(aside, () => shown.id);
  const stop = onJobs(
    (kind, data) => kind === "lab" && data.id === shown.id && data.state !== "running" && setup && estimate(),
  );

  begin().catch(refused);

  async function begin() {
    const lang = `lang=${language()}`;
    const [knobs, { datasets }, { running }] = await Promise.all([
      get(`api/knobs?${lang}`),
      get("api/datasets"),
      get("api/jobs"),
    ]);
    const from = await setupHere(place.query, knobs, datasets, running);
    if (!from) return;
    const show = sentence(sentenceHost, knobs, datasets, changed, refused);
    show(from);
    gone = refusal.textContent;
    changed(from, 0);
  }

  // From the address; else what is being trained; else a first question.
  async function setupHere(query, knobs, datasets, running) {
    const written = fromQuery(query);
    if (written) return written;
    const id = query.get("lab") ?? (running?.kind === "lab" ? running.id : null);
    if (!id) return firstSetup();
    const lab = await get(`api/labs/${id}?lang=${language()}`).catch(refused);
    if (!lab) return firstSetup(); // it is gone, which is said; there is a form all the same
    if (lab.ask) reveal(id);
    if (lab.ask) return fromAsk(lab.ask, knobs.defaults, datasets[0]?.id);
    if (!query.has("lab")) return firstSetup();
    go(["labs", id]);
    return null;
  }

  function changed(next, patience = PATIENCE) {
    if (over) return; // a file was read meanwhile
    if (setup) gone = "";
    setup = next;
    const query = toQuery(setup);
    if (here().query.has("set")) query.set("set", here().query.get("set"));
    remember(query);
    button.disabled = true;
    newest.drop(); // what the set-up of before would cost
    clearTimeout(timer);
    timer = setTimeout(estimate, patience);
  }

  // What it costs; and if it was asked before, the answer is there at once.
  async function estimate() {
    try {
      const estimated = await newest(post(`api/estimate?lang=${language()}`, toAsk(setup)));
      if (estimated.error) throw new Refused(200, estimated); // no news to a browser's console while one types
      say(refusal, gone);
      mark(null);
      say(cost, costText(estimated));
      const waits = jobs().queue.some((item) => item.id === estimated.id);
      button.disabled = waits || (estimated.have === estimated.runs && estimated.known);
      if (estimated.known) reveal(estimated.id);
      else if (!shown.id) showExample();
    } catch (error) {
      say(cost, "");
      refused(error);
      if (!shown.id) showExample();
    }
  }

  function refused(error) {
    tellRefusal(refusal, error);
    mark(error.knob);
  }

  /** Mark the field of `knob` as the one that is wrong, for eyes and for screen readers. */
  function mark(knob) {
    for (const field of form.querySelectorAll("[aria-invalid]")) {
      field.removeAttribute("aria-invalid");
      field.removeAttribute("aria-describedby");
    }
    sentenceHost.after(refusal);
    const place = setup?.vary.findIndex(([name]) => name === knob) ?? -1;
    const ids = place >= 0 ? [`levels-${place}`] : [knob, `fixed-${knob}`];
    const field = knob && ids.map((id) => document.getElementById(id)).find(Boolean);
    field?.setAttribute("aria-invalid", "true");
    field?.setAttribute("aria-describedby", "refusal");
    field?.closest(".sentence, .fields > label")?.after(refusal);
  }

  async function start(event) {
    event.preventDefault();
    if (button.disabled) return;
    const isFocused = document.activeElement === button;
    button.disabled = true;
    try {
      const { id } = await post("api/ask", toAsk(setup));
      say(cost, jobs().queue.length > 1 ? t("ui.ask.queued") : t("ui.ask.started"));
      reveal(id);
      if (isFocused) answerHost.focus({ preventScroll: true }); // a disabled button has none
      answerHost.scrollIntoView({ block: "nearest", behavior: "smooth" });
    } catch (error) {
      refused(error);
      button.disabled = false;
    }
  }

  function showExample() {
    if (shown.isExample) return;
    const leave = onceThere(exemplifying, ({ exampleView }) => exampleView(answerHost), refused);
    shown = { id: null, isExample: true, leave };
  }

  function reveal(id) {
    if (shown.id === id) return;
    shown.leave();
    const chosen = (set) => {
      const query = here().query;
      query.set("set", set);
      remember(query);
    };
    const on = here().query.get("set") ?? "";
    const leave = onceThere(
      answering,
      ({ answerView }) => answerView(answerHost, id, { on, chosen }),
      refused,
    );
    shown = { id, leave };
    list.draw();
  }

  return () => {
    over = true;
    clearTimeout(timer);
    stop();
    shown.leave();
    list.leave();
  };
}

function example([name, query]) {
  return h("a", { class: "button small", href: `#/ask?${query}` }, t(`ui.ask.example.${name}`));
}
