// The networks that predict: which there are, which are chosen, and a card for each of those.

import { fill, h, refill, say } from "../dom.js";
import { get, latest } from "../server.js";
import { language, t } from "../words.js";
import { networkCard } from "./networkCard.js";

const MOST = 6;
const REST = 700; // ms after which a hand is at rest

/** The networks in `host`. `chosen(ids)` when another set of them is to be asked; `went(change)`
 *  when a place is picked on a card's map. */
export function networks(host, { chosen, went }) {
  const picker = h("fieldset", { class: "models" });
  const waiting = h("p", { class: "soft", role: "status" }, t("ui.play.loading"));
  const grid = h("div", { class: "network-cards" });
  const aloud = h("p", { class: "unseen", role: "status" });
  const newest = latest();
  const cards = new Map();
  let models = [];
  let ids = [];
  let place = null;
  let timer = null;
  fill(host, picker, waiting, grid, aloud);

  /** Load the list, and choose those of `wanted`; else two that differ most. */
  async function load(wanted) {
    const told = await newest(get(`api/models?lang=${language()}`));
    models = told.models.filter((model) => model.playable);
    waiting.hidden = true;
    const known = wanted.filter((id) => models.some((model) => model.id === id));
    choose(known.length ? known : mostDifferent(models.filter((model) => model.kind === "shipped")));
  }

  function choose(next) {
    ids = models.map((model) => model.id).filter((id) => next.includes(id));
    refill(picker, [models, ids], () => [h("legend", {}, t("ui.play.models")), models.map(box)]);
    picker.hidden = models.length < 3;
    for (const id of [...cards.keys()]) if (!ids.includes(id)) cards.delete(id);
    for (const model of models) if (ids.includes(model.id) && !cards.has(model.id)) addCard(model);
    fill(
      grid,
      ids.map((id) => cards.get(id).host),
    );
    chosen(ids);
  }

  function box({ id, name }) {
    const checked = ids.includes(id);
    const lock = checked ? ids.length === 1 : ids.length >= MOST;
    const change = () => {
      choose(checked ? ids.filter((each) => each !== id) : [...ids, id]);
      picker.querySelector(`[value="${id}"]`).focus();
    };
    return h(
      "label",
      {},
      h("input", { type: "checkbox", value: id, checked, disabled: lock, onchange: change }),
      name,
    );
  }

  function addCard(model) {
    const host = h("article", { class: "network-card", "data-model": model.id });
    const card = { host, ...networkCard(host, model, went) };
    cards.set(model.id, card);
    if (place) card.here(place);
    get(`api/models/${model.id}/examination`).then(card.examined, () => {}); // then it has no maps
  }

  /** What they say of a picture whose label may be known; once the hand rests, aloud as well. */
  function show(answers, label) {
    for (const each of answers) cards.get(each.id)?.show(each, label);
    clearTimeout(timer);
    const said = ({ host }) =>
      `${host.querySelector("h2").textContent}: ${host.querySelector(".says").textContent}.`;
    timer = setTimeout(() => say(aloud, [...cards.values()].map(said).join(" ")), REST);
  }

  /** There is nothing to be seen: `instead` stands where networks would say something. */
  function clear(instead) {
    clearTimeout(timer);
    for (const card of cards.values()) card.clear(instead);
    say(aloud, instead);
  }

  /** Where the digit is, for the maps. */
  function here(next) {
    place = next;
    for (const card of cards.values()) card.here(place);
  }

  return { load, show, clear, here, leave: () => clearTimeout(timer) };
}

// siffra brings its networks from the simplest to the best.
function mostDifferent(shipped) {
  return [...new Set([shipped.at(0), shipped.at(-1)])].map((model) => model.id);
}
