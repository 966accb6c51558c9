// A set-up: what is asked, as the form has it, as the address has it, and as the server wants it.
//
// `{ model, vary: [[knob, levels as typed], …], fixed: { knob: value as typed }, seeds, data }`,
// where no `data` means what siffra was started with.

const NOT_KNOBS = ["vary", "seeds", "data", "lab", "set"];

/** What the form needs beside a knob that cannot be turned on its own: values by knob. */
export function companions(knob, model) {
  const needed = Object.entries(knob?.needs[model] ?? {});
  return Object.fromEntries(needed.map(([name, value]) => [name, written(value)]));
}

/** What the form shows to someone who comes without a question. */
export function firstSetup() {
  return {
    model: "dense",
    vary: [["learning_rate", "0.02, 0.7, 1"]],
    fixed: { epochs: "3" },
    seeds: "5",
    data: "",
  };
}

/** The set-up in an address; null where there is none. */
export function fromQuery(query) {
  const vary = query.getAll("vary").map((text) => text.split(/:(.*)/s).slice(0, 2));
  if (!vary.length) return null;
  const { model = firstSetup().model, ...fixed } = Object.fromEntries(
    [...query].filter(([name]) => !NOT_KNOBS.includes(name)),
  );
  return {
    model,
    vary: vary.map(([knob, levels = ""]) => [knob, levels.replace(/,\s*/g, ", ")]),
    fixed,
    seeds: query.get("seeds") ?? firstSetup().seeds,
    data: query.get("data") ?? "",
  };
}

/** The address of a set-up. */
export function toQuery(setup) {
  const query = new URLSearchParams();
  if (!turns(setup, "model")) query.set("model", setup.model);
  for (const [knob, levels] of setup.vary)
    query.append("vary", `${knob}:${levels.replace(/,\s+/g, ",").trim()}`);
  for (const [knob, value] of typedIn(setup)) query.set(knob, value);
  query.set("seeds", setup.seeds);
  if (setup.data) query.set("data", setup.data);
  return query;
}

/** The set-up as the server takes it. */
export function toAsk(setup) {
  const fixed = Object.fromEntries(typedIn(setup).map(([knob, value]) => [knob, parsed(value)]));
  return {
    vary: Object.fromEntries(setup.vary.map(([knob, levels]) => [knob, split(levels).map(parsed)])),
    fixed: turns(setup, "model") ? fixed : { model: setup.model, ...fixed },
    seeds: parsed(setup.seeds),
    ...(setup.data && { data: setup.data }),
  };
}

/** The set-up behind a question that was put to the server; what `defaults` and `data` say anyway
 *  is left unsaid, but for the epochs, which the form always shows. */
export function fromAsk(ask, defaults, data) {
  const { model = "dense", ...fixed } = ask.fixed;
  const said = ([knob, value]) =>
    knob === "epochs" || written(value) !== written(defaults[model][knob]);
  return {
    model,
    vary: Object.entries(ask.vary).map(([knob, levels]) => [knob, levels.map(written).join(", ")]),
    fixed: Object.fromEntries(
      Object.entries(fixed)
        .filter(said)
        .map(([knob, value]) => [knob, written(value)]),
    ),
    seeds: String(ask.seeds ?? firstSetup().seeds),
    data: !ask.data || ask.data === data ? "" : ask.data,
  };
}

/** Whether `knob` is one of those that are varied. */
export function turns(setup, knob) {
  return setup.vary.some(([name]) => name === knob);
}

function typedIn(setup) {
  return Object.entries(setup.fixed).filter(([knob, value]) => value.trim() && !turns(setup, knob));
}

// `0.02, 0.7 1` has three values, and a list of widths in brackets, `[64, 32]`, is one of them.
function split(levels) {
  return levels.match(/\[[^\]]*\]|[^\s,;[\]]+/g) ?? [];
}

function parsed(text) {
  const value = text.trim();
  if (value.startsWith("[")) return split(value.slice(1, -1)).map(parsed);
  if (["true", "false"].includes(value)) return value === "true";
  return value !== "" && Number.isFinite(Number(value)) ? Number(value) : value;
}

function written(value) {
  return Array.isArray(value) ? `[${value.join(", ")}]` : String(value);
}
