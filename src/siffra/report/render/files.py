"""A report's data: results.json, and every run as a table in CSV and Parquet."""

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from arro3.core import Array, DataType, Table
from arro3.io import write_parquet

from siffra.config import KNOBS
from siffra.lab.answers import Answers, ClaimAnswer, ExperimentAnswer, LevelAnswer, QuestionAnswer
from siffra.lab.plan.plan import Claim, Plan
from siffra.lab.stats.diagnostics import WAYS, BySeed, Way, by_seed, places, shift_curve
from siffra.lab.stats.estimates import CONFIDENCE, Comparison, Summary
from siffra.lab.stats.time_to_target import targets_of, time_to_target
from siffra.report.text.ablation import ingredients
from siffra.report.text.messages import Words
from siffra.report.text.narrative import VERDICTS, answer_sentence, claims_by, summary_sentence
from siffra.report.text.numbers import unit_of
from siffra.report.text.provenance import all_records, command, machines, proviso
from siffra.report.text.shortened import shortened
from siffra.training.diagnostics import Examined
from siffra.training.run import Record, setting_id

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def results_json(answers: Answers, words: Words, examined: Examined | None = None) -> str:
    """Everything that was found, as JSON; fractions and seconds, null for what is not finite."""
    plan, records = answers.plan, all_records(answers)
    claims = [claim for question in answers.questions for claim in question.claims]
    made_on = [machine.model_dump() for machine in machines(records)]
    found = {
        "title": words.say(plan.title),
        "source": plan.source,
        "digest": plan.digest,
        "command": command(plan, records),
        "proviso": words(f"proviso.{needed}") if (needed := proviso(plan)) else None,
        "language": words.language,
        "preset": plan.preset,
        "epochs": plan.epochs,
        "shortened": _shortened(plan, words),
        "seeds": list(plan.seeds),
        "runs": len(records),
        "machine": {k: v for k, v in made_on[0].items() if k != "versions"} if made_on else None,
        "versions": made_on[0]["versions"] if made_on else {},
        "other_machines": made_on[1:],
        "data_notes": [
            {"code": note.code, "text": words.say(note.texts)}
            for note in (examined.dataset.notes if examined else ())
        ],
        "missing": answers.missing,
        "busy": sum(record.is_busy for record in records),
        "looks": [asdict(look) for look in answers.looks],
        "summary": summary_sentence(answers, words.language),
        "verdicts": _verdicts(claims),
        "claims_by": [
            {"by": by or None, "verdicts": _verdicts(theirs)}
            for by, theirs in claims_by(answers, words).items()
        ],
        "questions": [_question(question, words, examined) for question in answers.questions],
        "experiments": [_experiment(e, words, examined) for e in answers.experiments],
    }
    return json.dumps(_finite(found), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _shortened(plan: Plan, words: Words) -> dict[str, Any] | None:
    """What is not run as the lab file says; null if everything is."""
    text = shortened(words, plan)
    return (
        {
            "text": text,
            "epochs_from": list(plan.cut_from),
            "stand_ins": dict(plan.stand_ins),
            "left_out": list(plan.left_out),
        }
        if text
        else None
    )


def run_rows(answers: Answers) -> list[dict[str, Any]]:
    """`record_rows` of all of a lab's runs, with the questions that each belongs to."""
    used = used_by(answers)
    rows = record_rows(all_records(answers))
    return [{"key": row["key"], "questions": ", ".join(used[row["key"]])} | row for row in rows]


def record_rows(records: Iterable[Record]) -> list[dict[str, Any]]:
    """The tidy table: a row for each run and set, the same columns in every row.

    See `knob_columns` for the knobs.
    """
    records = list(records)
    knobs = knob_columns(records)
    return [
        {
            "key": record.key,
            **{name: values[number] for name, values in knobs.items()},
            "seed": record.seed,
            "set": name,
            "accuracy": accuracy,
            "seconds": record.seconds,
            "diverged": record.diverged,
            "parameters": record.parameters,
            "dataset": record.dataset,
            "engine": record.engine,
            "engine_version": record.engine_version,
            "cpu": record.machine.cpu,
            "threads": record.machine.threads,
            "jobs": record.machine.jobs,
            "busy": record.load.is_busy if record.load else None,
            "finished": record.finished.isoformat(),
            "setting": setting_id(record),
        }
        for number, record in enumerate(records)
        for name, accuracy in record.accuracy.items()
    ]


def knob_columns(records: Iterable[Record]) -> dict[str, list[Any]]:
    """Every knob's value for each run.

    Knobs that a model does not have are None; a knob that differs between layers is a text,
    as `64, 32`, and then so is its whole column. The parameters of users' own models come last
    of the knobs.
    """
    set_at = [record.setting.knobs() for record in records]
    names = dict.fromkeys([*KNOBS, *(name for knobs in set_at for name in knobs)])
    columns = {name: [_plain(knobs.get(name)) for knobs in set_at] for name in names}
    for name, values in columns.items():
        if any(isinstance(value, str) for value in values):
            columns[name] = [None if value is None else str(value) for value in values]
    return columns


def runs_csv(rows: Sequence[Mapping[str, Any]], columns_if_none: Sequence[str] = ("key",)) -> str:
    """The rows as CSV (RFC 4180); no text in it can be taken for a formula by a spreadsheet.

    `columns_if_none` are those of a table without rows.
    """
    file = io.StringIO(newline="")
    names = list(rows[0] if rows else columns_if_none)
    writer = csv.writer(file)
    writer.writerow(map(_no_formula, names))
    writer.writerows([_no_formula(row[name]) for name in names] for row in rows)
    return file.getvalue()


def rows_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a JSON list of objects; null for what is not finite."""
    return json.dumps(_finite(rows), ensure_ascii=False, allow_nan=False)


def runs_parquet(
    rows: Sequence[Mapping[str, Any]], columns_if_none: Sequence[str] = ("key",)
) -> bytes:
    """The rows as Parquet; `columns_if_none` are those of a table without rows."""
    types = {bool: DataType.bool(), int: DataType.int64(), float: DataType.float64()}
    columns = {}
    for key in rows[0] if rows else columns_if_none:
        kind, told = typed([row[key] for row in rows])
        columns[key] = Array(told, types.get(kind, DataType.string()))
    file = io.BytesIO()
    write_parquet(Table.from_pydict(columns), file)
    return file.getvalue()


def used_by(answers: Answers) -> dict[str, list[str]]:
    """The ids of the questions and experiments that each run, by key, belongs to."""
    used: dict[str, list[str]] = {}

    def note(records: Sequence[Record], by: str) -> None:
        for record in records:
            ids = used.setdefault(record.key, [])
            if by not in ids:
                ids.append(by)

    for question in answers.questions:
        for level in question.levels:
            note(level.tried, question.question.id)
    for experiment in answers.experiments:
        note(experiment.records, experiment.experiment.id)
    return used


def typed(values: Sequence[Any]) -> tuple[type, list[Any]]:
    """What a column of such values holds, and the values as such; None stays what it is.

    Numbers, if all are, and else texts.
    """
    kinds = {type(value) for value in values if value is not None}
    kind = kinds.pop() if len(kinds) == 1 else float if kinds == {int, float} else str
    return kind, [None if value is None else kind(value) for value in values]


def _verdicts(claims: Sequence[ClaimAnswer]) -> dict[str, int]:
    return {verdict: sum(c.verdict == verdict for c in claims) for verdict in VERDICTS}


def _question(answer: QuestionAnswer, words: Words, examined: Examined | None) -> dict[str, Any]:
    question = answer.question
    targets = targets_of(question)
    return {
        "id": question.id,
        "ask": words.say(question.ask),
        "answer": answer_sentence(answer, words.language),
        "note": words.say(question.note),
        "by": words.say(question.by) or None,
        "vary": list(question.vary),
        "retune": list(question.retune),
        "fixed": dict(question.fixed),
        "claims": [_claim(claim, question.fixed, words) for claim in answer.claims],
        "levels": [
            _level(
                level,
                question.fixed_at(level.level),
                i == answer.best and bool(level.trained),
                examined,
                targets,
            )
            for i, level in enumerate(answer.levels)
        ],
        "edge": [edge.knob for edge in answer.edge],
        "added": _added(answer),
        "interactions": [asdict(interaction) for interaction in answer.interactions],
    }


def _added(answer: QuestionAnswer) -> list[dict[str, Any]] | None:
    """What each ingredient of a recipe adds, by the level without it; null for other questions."""
    found = ingredients(answer)
    return found and [
        {
            "without": answer.levels.index(part.without),
            "accuracy": {name: _change(each) for name, each in part.accuracy.items()},
            "seconds": _change(part.seconds),
        }
        for part in found.parts
    ]


def _change(found: Comparison) -> dict[str, Any] | None:
    if not found.seeds:
        return None
    estimate = found.estimate(1 - CONFIDENCE)
    return _summary(Summary(estimate.value, estimate.low, estimate.high, estimate.values))


def _claim(answer: ClaimAnswer, fixed: Mapping[str, Any], words: Words) -> dict[str, Any]:
    claim, estimate = answer.claim, answer.estimate
    found: dict[str, Any] = {
        "id": claim.id,
        "say": words.say(claim.say),
        "verdict": answer.verdict,
        "estimate": estimate.value if estimate else None,
        "interval": [estimate.low, estimate.high] if estimate else None,
        "n": len(estimate.values) if estimate else 0,
        "fixed": dict(fixed),
        "confidence": estimate.confidence if estimate else None,
        "scale": estimate.scale if estimate else None,
        "shown_in": unit_of(claim, estimate) if estimate else None,
        "values": list(estimate.values) if estimate else [],
        "censored": estimate.censored if estimate else 0,
        "seeds_needed": answer.seeds_needed,
        "reason": answer.reason,
        "left_out": answer.left_out,
        "diverged": answer.diverged,
        "look": answer.look,
        "degrees_of_freedom": estimate.freedom if estimate else None,
        "reported": words.say(claim.reported),
    }
    described = ("metric", "on", "target", "level", "against", "direction", "margin", "epochs")
    return found | {name: getattr(claim, name) for name in described}


def _level(
    answer: LevelAnswer,
    fixed: Mapping[str, Any],
    best: bool,
    examined: Examined | None,
    targets: Sequence[Claim],
) -> dict[str, Any]:
    return {
        "knobs": dict(answer.level.knobs),
        "fixed": dict(fixed),
        "settings": [setting.knobs() for setting in answer.level.settings],
        **_seen(answer, examined),
        "best": best,
        "targets": [_arrival(answer, claim) for claim in targets],
        "retuned": dict(answer.retuned),
        "edge": [edge.knob for edge in answer.edge],
        "reported": dict(answer.level.reported),
    }


def _arrival(answer: LevelAnswer, claim: Claim) -> dict[str, Any]:
    """Times to a target by run, null for a run that never reached it."""
    found = time_to_target(answer.records, claim)
    return {
        "on": found.on,
        "target": found.target,
        "epochs": {"median": found.median_epochs, "values": list(found.epochs)},
        "seconds": {"median": found.median_seconds, "values": list(found.seconds)},
        "never": found.never,
    }


def _experiment(
    answer: ExperimentAnswer, words: Words, examined: Examined | None
) -> dict[str, Any]:
    experiment = answer.experiment
    return {
        "id": experiment.id,
        "name": words.say(experiment.name),
        "note": words.say(experiment.note),
        "knobs": experiment.setting.knobs(),
        **_seen(answer, examined),
        "reported": dict(experiment.reported),
    }


def _seen(answer: LevelAnswer | ExperimentAnswer, examined: Examined | None) -> dict[str, Any]:
    known = by_seed(answer.records, examined)
    is_shifted = bool(known) and all(examination.map for examination in known.values())
    return {
        "n": len(answer.records),
        "seeds": [record.seed for record in answer.records],
        "accuracy": {name: _summary(summary) for name, summary in answer.accuracy.items()},
        "seconds": _summary(answer.seconds),
        "diverged": answer.diverged,
        "busy": answer.busy,
        "diverged_seeds": [record.seed for record in answer.records if record.diverged],
        "shifts": {way: _curve(known, way) for way in WAYS} if is_shifted else None,
    }


def _curve(examinations: BySeed, way: Way) -> dict[str, Any]:
    """A shift curve: pixels or degrees, mean accuracies and their intervals."""
    curve = shift_curve(examinations, way)
    ends = zip(curve.low.tolist(), curve.high.tolist(), strict=True)
    return {"at": list(places(way)), "mean": curve.mean.tolist(), "interval": list(ends)}


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "mean": summary.mean,
        "interval": [summary.low, summary.high],
        "values": list(summary.values),
    }


def _plain(value: Any) -> Any:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def _no_formula(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return value
