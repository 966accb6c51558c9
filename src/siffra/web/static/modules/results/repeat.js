// What repeats a result without this page: a command line, and a lab file where there is one.

import { h } from "../dom.js";
import { t } from "../words.js";

/** The command and the lab file of `lab`, each with a button that copies it. */
export function repeat({ command, proviso, toml }, tomlUrl = null) {
  return [
    copyable(command, t("ui.repeat.command")),
    proviso && h("p", { class: "soft" }, proviso),
    toml &&
      h(
        "details",
        {},
        h("summary", {}, t("ui.repeat.toml")),
        copyable(toml, t("ui.repeat.toml")),
        tomlUrl &&
          h(
            "a",
            { class: "button small", href: tomlUrl, download: "lab.toml" },
            t("ui.repeat.download"),
          ),
      ),
  ];
}

function copyable(text, name) {
  // A command breaks between its words, and not after the hyphen of an option.
  const words = text.split(/([ \n]+)/).map((word) => (word.trim() ? h("span", { class: "word" }, word) : word));
  const code = h("code", {}, words);
  const done = h("span", { class: "unseen", role: "status" });
  const button = h(
    "button",
    { type: "button", class: "small", "aria-label": `${t("ui.repeat.copy")}: ${name}` },
    t("ui.repeat.copy"),
  );
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text).catch(() => getSelection().selectAllChildren(code));
    button.textContent = done.textContent = t("ui.repeat.copied");
    setTimeout(() => ((button.textContent = t("ui.repeat.copy")), (done.textContent = "")), 1500);
  });
  return h(
    "div",
    { class: "copyable" },
    h("pre", { tabindex: 0, "aria-label": name }, code),
    button,
    done,
  );
}
