// Which images the networks are trained on: those that siffra knows, or an .npz file of one's own.

import { h } from "../dom.js";
import { post } from "../server.js";
import { language, t } from "../words.js";

/**
 * A field to choose among `datasets` (`[{ id, name, notes }]`, the usual ones first) and to add to them;
 * below it, what siffra says of the chosen one.
 * `choose(id)` with what was chosen, "" for the usual; `failed(error)` when a file cannot be used.
 */
export function dataField(datasets, now, choose, failed) {
  const options = datasets.map(({ id, name }, i) =>
    h("option", { value: i ? id : "", selected: id === now }, name),
  );
  const select = h("select", { id: "data", onchange: () => choose(select.value) }, options);
  const file = h("input", { type: "file", class: "unseen", accept: ".npz", onchange: read });
  const button = h("label", { class: "button small" }, t("ui.ask.add_data"), file);
  const { notes = [] } = datasets.find(({ id }) => id === now) ?? {};
  const said = notes.map((texts) => h("p", { class: "soft" }, texts[language()] ?? texts.en));
  return h("div", { class: "data" }, h("label", {}, t("ui.ask.data"), select), button, said);

  function read() {
    const reader = new FileReader();
    const name = file.files[0]?.name.replace(/\.npz$/i, "");
    reader.onload = () => add(name, reader.result.split(",")[1] ?? "");
    if (file.files[0]) reader.readAsDataURL(file.files[0]);
  }

  async function add(name, npz) {
    try {
      const { id, notes } = await post("api/datasets", { name, npz });
      if (datasets.every((known) => known.id !== id)) datasets.push({ id, name, notes });
      choose(id);
    } catch (error) {
      failed(error);
    }
  }
}
