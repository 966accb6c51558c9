"""The facts behind a report: its runs, the machines that made them, the command to repeat it."""

import hashlib
import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from siffra.lab.labfile import DIGITS
from siffra.lab.plan import Plan
from siffra.lab.planning import PRESETS
from siffra.lab.verdicts import Answers
from siffra.run import Machine, Record


def all_records(answers: Answers) -> list[Record]:
    """Every run that the answers rest on, once, in the order of the report."""
    answered = [level for question in answers.questions for level in question.levels]
    runs = [r for seen in (*answered, *answers.experiments) for r in seen.records]
    return list({record.key: record for record in runs}.values())


def machines(records: Sequence[Record]) -> list[Machine]:
    """The machines that made the runs, the one with the most runs first."""
    made = Counter(record.machine.model_dump_json() for record in records)
    return [Machine.model_validate_json(text) for text, _ in made.most_common()]


def command(plan: Plan) -> str:
    """The command that finds out the same again."""
    words = _vary(plan) if plan.preset == "vary" else _lab(plan)
    return " ".join(shlex.quote(word) for word in ("siffra", *words))


def _lab(plan: Plan) -> list[str]:
    words = ["lab"] if plan.digest == _digest(DIGITS) else ["lab", plan.source]
    words += ["--preset", plan.preset]
    cap, _ = PRESETS.get(plan.preset, (None, 0))
    exact = {run.setting.training.epochs for run in plan.runs} == {plan.epochs}
    if exact and plan.epochs != cap:
        words += ["--epochs", str(plan.epochs)]
    return [*words, "--seeds", str(len(plan.seeds))]


def _vary(plan: Plan) -> list[str]:
    question = plan.questions[0]
    words = ["vary"]
    for knob in question.vary:
        values = dict.fromkeys(_written(level.knobs[knob]) for level in question.levels)
        words.append(f"{knob}={','.join(values)}")
    for knob, value in question.fixed.items():
        words += [f"--{knob.replace('_', '-')}", _written(value)]
    return [*words, "--seeds", str(len(plan.seeds))]


def _written(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
