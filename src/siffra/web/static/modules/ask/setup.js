// A set-up: what is asked, as the form has it, as the address has it, and as the server wants it.
//
// `{ model, vary: [[knob, levels as typed], …], fixed: { knob: value as typed }, seeds, data }`,
// where no `data` means what siffra was started with.

const NOT_KNOBS = ["vary", "seeds", "data", "lab", "set"];

const SUGGESTED = {
  learning_rate: "0.02, 0.7, 1",
  batch_size: "9, 10, 11",
  epochs: "1, 3, 10",
  momentum: "0.5, 0.9, 0.98",
  weight_decay: "0.0005, 0.005, 0.05",
  warmup: "0, 0.1, 0.3",
  label_smoothing: "0, 0.1",
  ema: "0.9, 0.99",
  augment_move: "2, 5, 10",
  augment_rotate: "10, 20, 36",
  augment_clean: "0, 0.3, 0.6",
  augment_jitter: "0, 1",
  layers: "1, 2, 4",
  neurons: "4, 32, 256",
  dropout: "0, 0.2, 0.5",
  conv_layers: "1, 2",
  filters: "4, 16, 32",
  kernel_size: "4, 8, 16",
  strides: "1, 2, 4",
  pool_size: "1, 2, 4",
  space_to_depth: "1, 2",
};

/** Levels to start from, for a knob as the server describes it: what is worth asking about it. */
export function suggested(knob) {
  if (!knob) return "";
  return knob.type === "bool"
    ? "false, true"
    : (SUGGESTED[knob.name] ?? knob.choices?.join(", ") ?? "");
}

/** What cannot be turned on its own needs another knob at its side: by knob, for a model. */
export function companions(knob, model) {
  const needed = {
    momentum: { optimizer: "momentum" },
    weight_decay: { optimizer: "adamw", learning_rate: "0.001" },
    warmup: { schedule: "one_cycle" },
    augment_move: { augment: "move" },
    augment_rotate: { augment: "rotate" },
    augment_clean: { augment: "shifts" },
    augment_jitter: { augment: "shifts" },
    neurons: model === "conv" ? { layers: "1" } : {},
    dropout: model === "conv" ? { layers: "1" } : {},
  };
  return needed[knob] ?? {};
}

/** What the form shows to someone who comes without a question. */
export function firstSetup() {
  return {
    model: "dense",
    vary: [["learning_rate", SUGGESTED.learning_rate]],
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
