// One network's prediction: the class, the probabilities, and the activations of its first layer.

import { fill, h, say } from "../dom.js";
import { percent, t } from "../words.js";
import { maps } from "./maps.js";
import { bytes, inked } from "./pixels.js";

/** A card for `model` in `host`; `went(change)` when a place is picked on its maps. */
export function networkCard(host, model, went) {
  const verdict = h("p", { class: "says" });
  const rows = model.labels.map(barRow);
  const responseText = h("h3");
  const responseHost = h("canvas", { role: "img", "aria-label": t("ui.play.response") });
  const mapsHost = h("div", { class: "maps" });
  const mapped = maps(mapsHost, went);
  fill(
    host,
    h(
      "header",
      {},
      h("h2", {}, model.name),
      h(
        "p",
        { class: "soft" },
        t("ui.play.model_facts", {
          test: percent(model.accuracy.test),
          moved: percent(model.accuracy.moved, 0),
          rotated: percent(model.accuracy.rotated, 0),
        }),
      ),
    ),
    verdict,
    h(
      "ul",
      { class: "bars", "aria-label": t("ui.play.bars", { model: model.name }) },
      rows.map((row) => row.element),
    ),
    h("div", { class: "response" }, responseText, responseHost),
    mapsHost,
  );

  /** What the network says of a picture whose label may be known. */
  function show({ probabilities, response }, label) {
    const said = probabilities.indexOf(Math.max(...probabilities));
    // A network with other classes than digits is neither right nor wrong; -1 where it is unknown.
    const truth = model.labels.indexOf(String(label));
    const right = truth < 0 ? "" : said === truth ? " right" : " wrong";
    host.className = `network-card${right}`;
    say(
      verdict,
      t(truth < 0 || said === truth ? "ui.play.says" : "ui.play.says_wrong", {
        digit: model.labels[said],
        sure: percent(probabilities[said], 0),
        label,
      }),
    );
    rows.forEach((row, digit) => row.show(probabilities[digit], digit === said, digit === truth));
    if (response) {
      say(responseText, t(`ui.play.layer_${response.kind}`, { n: response.shape[0] }));
      drawResponse(responseHost, response);
    }
  }

  /** There is nothing to be seen, so it says nothing; `instead` says what to do. */
  function clear(instead) {
    host.className = "network-card";
    say(verdict, instead);
    for (const row of rows) row.clear();
    say(responseText, "");
    responseHost.width = 0;
  }

  return { show, clear, examined: mapped.show, here: mapped.here };
}

function barRow(label) {
  const bar = h("span", { class: "bar" });
  const value = h("span", { class: "value" });
  const element = h(
    "li",
    {},
    h("span", { class: "digit" }, label),
    h("span", { class: "track" }, bar),
    value,
  );
  return {
    element,
    show(probability, said, truth) {
      bar.style.transform = `scaleX(${probability})`;
      say(value, percent(probability, 0));
      element.className = `${said ? "said" : ""}${truth ? " truth" : ""}`;
    },
    clear() {
      bar.style.transform = "scaleX(0)";
      say(value, "");
      element.className = "";
    },
  };
}

// Units of a dense layer as a block of squares, maps of a convolution side by side.
function drawResponse(canvas, { kind, shape, values }) {
  const array = bytes(values);
  const [maps, height, width] = kind === "conv" ? shape : [1, ...block(shape[0])];
  const across = kind === "conv" ? Math.min(maps, 8) : 1;
  const gap = kind === "conv" ? 1 : 0;
  canvas.width = across * (width + gap) - gap;
  canvas.height = Math.ceil(maps / across) * (height + gap) - gap;
  canvas.className = kind;
  const context = canvas.getContext("2d");
  for (let map = 0; map < maps; map++) {
    const part = new Uint8Array(height * width);
    part.set(array.subarray(map * height * width, (map + 1) * height * width));
    const at = [(map % across) * (width + gap), Math.floor(map / across) * (height + gap)];
    context.drawImage(inked(part, width, height, "--link"), ...at);
  }
}

// Rows and columns for so many units: as wide as a card likes them.
function block(units) {
  const width = Math.min(units, 32);
  return [Math.ceil(units / width), width];
}
