"""How a report's answers were found out, in plain words, and the facts behind them."""

from collections.abc import Mapping, Sequence

from siffra.config import ExternalModel, Setting
from siffra.engine.command.template import CommandTemplate
from siffra.lab.answers import Answers
from siffra.lab.plan.plan import Plan
from siffra.lab.plan.planning import TUNING_SEEDS
from siffra.lab.stats.rounds import involved
from siffra.report.model import Method
from siffra.report.text.labels import knob_name
from siffra.report.text.messages import Words
from siffra.report.text.provenance import machines
from siffra.training.examination import CURVE_IMAGES as SHIFT_IMAGES
from siffra.training.examination import MAP_IMAGES, Examined
from siffra.training.run import Machine, Record
from siffra.training.scored_sets import CURVE_IMAGES, LONG


def methods(
    words: Words, answers: Answers, records: Sequence[Record], examined: Examined | None
) -> tuple[Method, ...]:
    """What was done; parts that this lab made no use of are left out."""
    if answers.plan.is_external:
        return _in_order(words, _of_external(words, answers, records))
    shared = words("methods.times_shared") if _most_jobs(records) > 1 else ""
    parts = {
        "runs": _runs(words, answers, records),
        "pairs": [words("methods.pairs", order=_order(words, records)), words("methods.levels")],
        "collapse": [words("methods.collapse")],
        "many": [words("methods.many"), words("methods.margin")],
        "looks": _looks(words, answers),
        "scored": _scored(words, answers, records),
        "turns": _turns(words, answers),
        "times": [words("methods.times", shared=shared and f" {shared}")],
        "best": [words("methods.best")],
        "retuned": _retuned(words, answers),
        "interactions": _interactions(words, answers),
        "networks": _networks(words, examined),
        "caveat": [words("methods.caveat")],
    }
    return _in_order(words, parts)


def _in_order(words: Words, parts: Mapping[str, Sequence[str]]) -> tuple[Method, ...]:
    return tuple(
        Method(title=words(f"methods_title.{key}"), paragraphs=tuple(paragraphs))
        for key, paragraphs in parts.items()
        if paragraphs
    )


def _of_external(
    words: Words, answers: Answers, records: Sequence[Record]
) -> dict[str, Sequence[str]]:
    """What was done with trainings that siffra did not do itself."""
    plan = answers.plan
    source = words("methods.given", source=plan.source, runs=words.exact(len(records)))
    pairs = words("methods.external_pairs" if plan.paired else "methods.unpaired")
    search = plan.questions[0].search
    if search:
        seed, *finals = map(str, TUNING_SEEDS)
        seeds = words.listing(finals)
        pairs += f" {words('methods.searched', seed=seed, n=search.finalists, seeds=seeds)}"
    else:
        pairs += f" {words('methods.baseline')}" if plan.paired and plan.ad_hoc else ""
    return {
        "given": [source] if plan.given else [],
        "runs": [] if plan.given else _runs(words, answers, records)[:1],
        "pairs": [pairs, words("methods.levels")],
        "failed": [words("methods.failed")],
        "many": [words("methods.many"), words("methods.margin")],
        "looks": _looks(words, answers),
        "caveat": [words("methods.caveat")],
    }


def facts(
    words: Words, answers: Answers, records: Sequence[Record], examined: Examined | None
) -> tuple[tuple[str, str], ...]:
    """What it takes to find the same again, by name; and what should be known of the data."""
    plan = answers.plan
    if plan.given:
        read_as = [(words("facts.read_as"), words.say(note.texts)) for note in plan.notes]
        runs = words("facts.runs"), str(len(records))
        return (words("facts.file"), plan.source), runs, *read_as
    rows = [(words("facts.lab"), plan.source), (words("facts.digest"), plan.digest)]
    rows.append((words("facts.runs"), str(len(records))))
    rows += [(words("facts.data"), d) for d in sorted({r.dataset for r in records if r.dataset})]
    if examined:
        rows += [(words("facts.note"), words.say(note.texts)) for note in examined.dataset.notes]
    rows += [(words("facts.program"), command) for command in _commands(plan)]
    engines = sorted({f"{r.engine} {r.engine_version}" for r in records})
    rows += [(words("facts.engine"), ", ".join(engines))] if engines else []
    for machine in machines(records):
        rows.append((words("facts.machine"), f"{_cores(words, machine)}, {machine.system}"))
        versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
        rows.append((words("facts.versions"), versions))
    return tuple(rows)


def _commands(plan: Plan) -> list[str]:
    """The command of a program, as it was written."""
    models = [run.setting.model for run in plan.runs]
    commands = {model.command for model in models if isinstance(model, ExternalModel)}
    return [str(CommandTemplate(command)) for command in sorted(commands) if command]


def _runs(words: Words, answers: Answers, records: Sequence[Record]) -> list[str]:
    plan = answers.plan
    split = "split" if len({record.fingerprint for record in records}) > 1 else "no_split"
    if answers.shortfall:
        counted = words("methods.seeds_short", n=len(plan.seeds))
    elif answers.looks:
        counted = words("methods.seeds_looks", n=len(plan.seeds))
    else:
        seeds = words.listing(str(seed) for seed in plan.seeds)
        counted = words.count("methods.seeds", len(plan.seeds), seeds=seeds)
    if _has_stored_more(answers):
        counted += f" {words('methods.seeds_stored')}"
    return [counted, words(f"methods.{split}")]


def _has_stored_more(answers: Answers) -> bool:
    """Whether a level has more runs than its claims can have asked for."""
    plan = answers.plan
    asked: dict[Setting | None, int] = {}
    for question in answers.questions:
        for claim in question.claims:
            if plan.looks and claim.verdict != "not tested":
                seeds = (claim.grade == "shown" and claim.look) or plan.looks[-1]
                for i in involved(claim.claim):
                    setting = question.levels[i].setting
                    asked[setting] = max(seeds, asked.get(setting, 0))
    return any(
        len(level.records) > max(len(plan.seeds), asked.get(level.setting, 0))
        for question in answers.questions
        for level in question.levels
    )


def _scored(words: Words, answers: Answers, records: Sequence[Record]) -> list[str]:
    scored = [words("methods.scored", images=words.exact(CURVE_IMAGES))]
    if answers.plan.averages and any(record.late for record in records):
        scored.append(words("methods.averaged", epochs=LONG))
    return scored


def _most_jobs(records: Sequence[Record]) -> int:
    """How many runs shared a machine, at most."""
    return max((record.machine.jobs for record in records), default=1)


def _order(words: Words, records: Sequence[Record]) -> str:
    most = _most_jobs(records)
    return words("methods.order_shared", n=most) if most > 1 else words("methods.order")


def _cores(words: Words, machine: Machine) -> str:
    facts = {"cpu": machine.cpu, "cores": machine.cores, "threads": machine.threads}
    if machine.jobs > 1:
        return words("facts.cores_shared", n=machine.jobs, **facts)
    return words("facts.cores", **facts)


def _looks(words: Words, answers: Answers) -> list[str]:
    if not answers.looks:
        return []
    seeds = words.listing(str(n) for n in (answers.plan.looks or [x.seeds for x in answers.looks]))
    return [words("methods.looks", seeds=seeds)]


def _turns(words: Words, answers: Answers) -> list[str]:
    """How times were compared, where a claim asks for them."""
    claims = [claim for question in answers.questions for claim in question.question.claims]
    is_timed = any(claim.is_timed for claim in claims)
    return [words("methods.turns")] if is_timed else []


def _retuned(words: Words, answers: Answers) -> list[str]:
    """How knobs were chosen that each level has its own value of."""
    knobs = dict.fromkeys(knob for answer in answers.questions for knob in answer.question.retune)
    names = words.listing(knob_name(words, knob) for knob in knobs)
    return [words("methods.retuned", knobs=names)] if knobs else []


def _interactions(words: Words, answers: Answers) -> list[str]:
    asked = any(question.interactions for question in answers.questions)
    return [words("methods.interactions")] if asked else []


def _networks(words: Words, examined: Examined | None) -> list[str]:
    if not examined or not examined.by_key:
        return []
    if examined.dataset.features:
        return [words("methods.networks_of_rows")]
    few, fewer = (min(n, len(examined.dataset.test)) for n in (SHIFT_IMAGES, MAP_IMAGES))
    return [words("methods.networks", curves=words.exact(few), map=words.exact(fewer))]
