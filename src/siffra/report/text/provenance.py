"""The facts behind a report: its runs, their machines, what was cut short, how to repeat it."""

import hashlib
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from siffra.config import KNOBS, ExternalModel
from siffra.config.durations import spell_seconds
from siffra.config.knobs import spell
from siffra.data.load import DataSource
from siffra.data.shifted import SHIFTED
from siffra.engine.base import EngineName
from siffra.engine.command.template import CommandTemplate
from siffra.lab.answers import Answers
from siffra.lab.plan.labfile import DIGITS
from siffra.lab.plan.plan import Plan, Question
from siffra.lab.plan.presets import USUAL_MOST_SEEDS
from siffra.report.text.messages import Words
from siffra.training.run import Machine, Record

_TYPED = ("label", "image")
"""What `--data` may have beside it."""


def all_records(answers: Answers) -> list[Record]:
    """Every run that the answers rest on, once, in the order of the report.

    Those that were retuned and not chosen are among them: the choice rests on them.
    """
    runs = [r for question in answers.questions for level in question.levels for r in level.tried]
    runs += [record for experiment in answers.experiments for record in experiment.records]
    return list({record.key: record for record in runs}.values())


def machines(records: Sequence[Record]) -> list[Machine]:
    """The machines that made the runs, the one with the most runs first."""
    counts = Counter(record.machine.model_dump_json() for record in records)
    return [Machine.model_validate_json(text) for text, _ in counts.most_common()]


def command(plan: Plan, records: Sequence[Record] = ()) -> str:
    """The command that finds out the same again, under the condition that `proviso` names.

    With the `records` of its runs it says how much of the machine they had, if not the usual.
    """
    if plan.given:
        words = ["judge", plan.source, *plan.again, *_metrics(plan.questions[0])]
        return shlex.join(["siffra", *words])
    if plan.ad_hoc and plan.is_external and not _model_of(plan).command:
        return _call(plan)
    words = _vary(plan) if plan.ad_hoc else _lab(plan)
    words += _machine(records) if not plan.is_external else []
    words += ["--engine", plan.engine] if plan.engine != "native" else []
    return shlex.join(["siffra", *words])


def train_command(record: Record) -> str:
    """The command that makes a run again; it needs the same `data` options, if not on MNIST."""
    words = ["train"]
    for knob, value in record.setting.knobs().items():
        words += _fixed(knob, spell(value))
    words += ["--seed", str(record.seed)]
    words += ["--engine", "torch"] if EngineName.parse(record.engine).kind == "torch" else []
    return shlex.join(["siffra", *words])


def proviso(plan: Plan) -> Literal["", "data", "folder", "program"]:
    """What `command` needs besides.

    The same `data` options, or to be in the lab's `folder`, or in that in which a `program` ran.
    """
    if plan.ad_hoc and plan.is_external:
        return "" if plan.given else "program"
    if not plan.ad_hoc:
        return "" if _is_shipped(plan) else "folder"
    return "" if can_be_typed(plan.data) else "data"


def data_options(data: DataSource) -> list[str]:
    """The options that say which data set, and how its test images are shifted."""
    words = ["--data", str(data.path)] if data.path else []
    words += ["--label", data.label] if data.label else []
    words += ["--image", "x".join(map(str, data.image))] if data.image else []
    return [*words, *_shifts(data)]


def can_be_typed(data: DataSource | None) -> bool:
    """Whether `data_options` say all of it; of data that is in memory (None) they say nothing."""
    if data is None:
        return False
    names = ("path", *_TYPED, *SHIFTED)
    return data == DataSource(**{name: getattr(data, name) for name in names})


def shortened(words: Words, plan: Plan) -> str:
    """`Training is shortened from 20 epochs to 3 by preset quick; --preset full runs all.`

    Empty where everything is run as the lab file says.
    """
    parts = [_cut(words, plan)] if plan.cut_from or _is_of_old(plan) else []
    parts += [words("shortened.stand_in", old=old, new=new) for old, new in plan.stand_ins.items()]
    if plan.left_out:
        ids = words.listing(plan.left_out)
        parts.append(words("shortened.left_out", preset=plan.preset, ids=ids))
    return " ".join(parts)


def _cut(words: Words, plan: Plan) -> str:
    assert plan.epochs is not None
    by = f"--epochs {plan.epochs}" if plan.exact else words("shortened.by", preset=plan.preset)
    if not plan.cut_from:
        return words("shortened.at_most", epochs=plan.epochs, by=by)
    lengths = "–".join(words.exact(n) for n in dict.fromkeys((plan.cut_from[0], plan.cut_from[-1])))
    return words("shortened.cut", own=lengths, epochs=plan.epochs, by=by)


def _is_of_old(plan: Plan) -> bool:
    """Whether it was kept by a siffra that did not note how long the lab file's runs are."""
    known = any(level.lengths for question in plan.questions for level in question.levels)
    known |= any(experiment.length is not None for experiment in plan.experiments)
    return plan.epochs is not None and not plan.ad_hoc and not known


def _machine(records: Sequence[Record]) -> list[str]:
    """Threads of the machine that made most runs, where they are not its cores shared out."""
    if not records:
        return []
    machine = machines(records)[0]
    usual = max(1, machine.cores // machine.jobs)
    return ["--threads", str(machine.threads)] if machine.threads != usual else []


def _lab(plan: Plan) -> list[str]:
    words = ["lab"] if _is_shipped(plan) else ["lab", plan.source]
    words += ["--preset", plan.preset]
    if plan.exact:
        words += ["--epochs", str(plan.epochs)]
    if plan.only:
        words += ["--only", ",".join(plan.only)]
    return [*words, *plan.again, *_seeds(plan)]


def _vary(plan: Plan) -> list[str]:
    question = plan.questions[0]
    words = ["search" if question.search else "vary"]
    if isinstance(model := _model_of(plan), ExternalModel):
        return [*words, *_program(question, model), *plan.again, *_seeds(plan)]
    for knob in question.vary:
        values = dict.fromkeys(_as_level(level.knobs[knob]) for level in question.levels)
        words.append(f"{knob}={','.join(values)}")
    for knob, value in question.fixed.items():
        words += _fixed(knob, spell(value))
    return [*words, *data_options(plan.data or DataSource()), *_seeds(plan)]


def _model_of(plan: Plan) -> Any:
    return plan.questions[0].levels[0].settings[0].model


def _call(plan: Plan) -> str:
    """What asks the same again in Python, of a function, which only the user has."""
    (question,) = plan.questions
    search = question.search
    values: dict[str, Any] = {
        knob: list(dict.fromkeys(level.knobs[knob] for level in question.levels))
        for knob in question.vary
    }
    values |= search.space if search else {}
    values |= {knob: [value] for knob, value in question.fixed.items()}
    metrics = [metric.spelled() for metric in question.metrics]
    more = f", runs={search.runs}" if search else ""
    more += f", baseline={search.baseline!r}" if search and search.baseline else ""
    more += f", seeds={len(plan.seeds)}" if not plan.looks else ""
    name = "tune" if search else "vary"
    return f"siffra.{name}({values!r}, train=…, metric={metrics!r}{more})"


def _program(question: Question, model: ExternalModel) -> list[str]:
    """A program's knobs, the program, and what is measured of it."""
    values = {
        knob: ",".join(dict.fromkeys(_typed(level.knobs[knob]) for level in question.levels))
        for knob in question.vary
    }
    search, more = question.search, []
    if search:
        values |= {
            knob: text if isinstance(text, str) else ",".join(map(_typed, text))
            for knob, text in search.space.items()
        }
        more = [f"--runs={search.runs}"]
        more += [f"--baseline={_knobs(search.baseline)}"] if search.baseline else []
    values |= {knob: _typed(value) for knob, value in question.fixed.items()}
    words = [f"{knob}={text}" for knob, text in values.items()]
    return [*words, "--command", str(CommandTemplate(model.command)), *_metrics(question), *more]


def _knobs(values: Mapping[str, object]) -> str:
    """`lr=0.1,width=32`."""
    return ",".join(f"{knob}={_typed(value)}" for knob, value in values.items())


def _metrics(question: Question) -> list[str]:
    margins = {metric.margin for metric in question.metrics}
    is_one = len(margins) == 1
    words = [f"--metric={metric.spelled(margin=not is_one)}" for metric in question.metrics]
    return [*words, *(f"--margin={each:.10g}" for each in margins if is_one and each is not None)]


def _typed(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fixed(knob: str, value: str) -> list[str]:
    """A knob as an option; `--with` has those of a model of the user's."""
    if knob in KNOBS:
        name = knob.replace("_", "-")
        if KNOBS[knob].type is bool:
            return [f"--{name}" if value == "True" else f"--no-{name}"]
        return [f"--{name}", value]
    return ["--with", f"{knob}={value}"]


def _seeds(plan: Plan) -> list[str]:
    if not plan.looks:
        return ["--seeds", str(len(plan.seeds))]
    words = ["--time", spell_seconds(plan.time)] if plan.time is not None else []
    is_usual = plan.looks[-1] == USUAL_MOST_SEEDS and plan.time is not None
    return words if is_usual else [*words, "--max-seeds", str(plan.looks[-1])]


def _shifts(data: DataSource) -> list[str]:
    """What is shifted, if it is not as usual; the two usual shifts have options of their own."""
    if list(data.shifts) != ["move", "rotate"]:
        strengths = ",".join(f"{key}={strength}" for key, strength in data.shifts.items())
        return ["--shifts", strengths or "none"]
    strengths = {name: getattr(data, name) for name in ("moved", "rotated")}
    return [
        word
        for name, strength in strengths.items()
        if strength != DataSource.model_fields[name].default
        for word in (f"--{name}", str(strength))
    ]


def _as_level(value: object) -> str:
    """One of several values, so that a list stands in brackets: `[64,32]`."""
    text = spell(value)
    return f"[{text}]" if isinstance(value, list | tuple) else text


def _is_shipped(plan: Plan) -> bool:
    return plan.digest == hashlib.sha256(DIGITS.read_bytes()).hexdigest()
