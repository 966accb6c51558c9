// What was asked before, and what waits: a list at the side of the Ask view.

import { onJobs } from "../jobs.js";
import { fill, h, refill } from "../dom.js";
import { stateBadge, tally } from "../results/badges.js";
import { to } from "../route.js";
import { get, oneAtATime } from "../server.js";
import { language, t } from "../words.js";

const MOST = 12;

/** The list in `host`; `current()` is the id of the lab that is shown. Returns what ends it. */
export function earlier(host, current) {
  const list = h("ul", { class: "earlier" });
  fill(host, h("h2", {}, t("ui.ask.earlier")), list);
  let labs = [];

  const load = oneAtATime(
    async () => {
      const found = await get(`api/labs?lang=${language()}`).catch(() => null);
      if (!found) return; // of a server that is gone the top of the page speaks
      labs = found.labs.filter((lab) => lab.ad_hoc).slice(0, MOST);
      draw();
    },
    { rests: true },
  );

  function draw() {
    host.hidden = !labs.length;
    refill(list, [labs, current()], () => labs.map(entry));
  }

  function entry(lab) {
    const href = to(["ask"], new URLSearchParams({ lab: lab.id }));
    return h(
      "li",
      {},
      h("a", { href, "aria-current": lab.id === current() && "true" }, lab.title),
      lab.state === "done"
        ? tally(lab.tally, lab)
        : h(
            "div",
            { class: "tally" },
            stateBadge(lab.state),
            h("span", { class: "soft" }, `${lab.have} / ${lab.runs}`),
          ),
    );
  }

  const stop = onJobs((kind) => ["queue", "lab"].includes(kind) && load());
  load();
  return { draw, leave: stop };
}
