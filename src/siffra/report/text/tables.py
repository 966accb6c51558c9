"""A report's tables: what was measured at each level, beside what was reported for it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siffra.lab.answers import Edge, ExperimentAnswer, LevelAnswer, Look, QuestionAnswer
from siffra.lab.stats.estimates import CONFIDENCE, Comparison
from siffra.lab.stats.time_to_target import TimeToTarget, targets_of, time_to_target
from siffra.report.text import numbers
from siffra.report.text.ablation import ingredient_name, ingredients
from siffra.report.text.labels import (
    LONG_NAME,
    are_numbered,
    knob_axis_name,
    knob_name,
    sets_of,
    short_level_name,
    value_name,
)
from siffra.report.text.messages import Words
from siffra.report.text.narrative import capital, collapsed


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, what kind it is (`name`, `number`, `reported`), and a remark."""

    text: str
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the header's cells, and rows of as many."""

    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def texts(self) -> tuple[list[str], list[list[str]]]:
        """The texts of the header, and those of each row, for where there is no style."""
        head, *rows = [[cell.text for cell in row] for row in (self.head, *self.rows)]
        return head, rows


Row = tuple[str, LevelAnswer | ExperimentAnswer, Mapping[str, float], str]
"""A row's name, what was measured, what was reported, and a remark."""


def levels_table(words: Words, answer: QuestionAnswer) -> Table:
    """A question's levels."""
    best = answer.levels[answer.best] if len(answer.levels) > 1 else None
    numbered = are_numbered(words, answer.question)
    rows = [
        (
            f"{i}. " * numbered + capital(short_level_name(words, level.level)),
            level,
            level.level.reported,
            _remarks(words, level, answer.edge if level is best else None),
        )
        for i, level in enumerate(answer.levels, start=1)
    ]
    targets = [
        [time_to_target(level.records, claim) for level in answer.levels]
        for claim in targets_of(answer.question)
    ]
    return _table(words, capital(knob_axis_name(words, answer.question)), rows, targets)


def added_table(words: Words, answer: QuestionAnswer) -> Table | None:
    """What each ingredient of a recipe adds, in points and seconds; None for another question."""
    parts = ingredients(answer)
    if parts is None:
        return None
    sets = sets_of(answer.levels)
    head = [Cell(capital(words("added.ingredient")), "name")]
    head += [Cell(capital(words(f"set.{name}")), "number") for name in sets]
    head += [Cell(capital(words("table.seconds")), "number"), Cell("n", "number")]
    names = [capital(ingredient_name(words, parts.whole, part.without)) for part in parts.parts]
    columns = [[Cell(name, "name long") for name in names]]
    for name in sets:
        found = [part.accuracy[name] for part in parts.parts]
        columns.append(_changes(words, found, scale=100))
    columns.append(_changes(words, [part.seconds for part in parts.parts]))
    seeds = [part.seeds for part in parts.parts]
    columns.append([Cell(str(n), "number") for n in seeds])
    return Table(tuple(head), tuple(zip(*columns, strict=True)))


def _changes(words: Words, found: Sequence[Comparison], scale: int = 1) -> list[Cell]:
    """A column of differences, each with a 95 % interval of its own."""
    told = [
        numbers.change(words, each.estimate(1 - CONFIDENCE), scale=scale) if each.seeds else "–"
        for each in found
    ]
    return [Cell(text, "number") for text in numbers.align(told, words("decimal"))]


def experiments_table(words: Words, answers: Sequence[ExperimentAnswer]) -> Table | None:
    """A lab's experiments; None if it has none."""
    rows = [
        (
            words.say(a.experiment.name),
            a,
            a.experiment.reported,
            "; ".join(
                words(f"table.{kind}", down=down, n=len(a.records))
                for kind, down in (("diverged", a.diverged), ("busy", a.busy))
                if down
            ),
        )
        for a in answers
    ]
    return _table(words, words("table.experiment"), rows) if rows else None


def looks_table(words: Words, looks: Sequence[Look]) -> Table | None:
    """The looks of a lab that added seeds until it was decided; None for another."""
    head = [words(f"table.look_{name}") for name in ("seeds", "spent", "decided", "open")]
    rows = [
        (
            str(look.seeds),
            numbers.share(words, look.spent, numbers.decimals_for(100 * look.spent / 20, most=5)),
            str(look.decided),
            str(look.open),
        )
        for look in looks
    ]
    return _all_numbers(head, rows) if rows else None


def _all_numbers(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table(
        tuple(Cell(capital(text), "number") for text in head),
        tuple(tuple(Cell(text, "number") for text in row) for row in rows),
    )


def _table(
    words: Words, first: str, rows: Sequence[Row], targets: Sequence[Sequence[TimeToTarget]] = ()
) -> Table:
    """Ours and, beside it where there is one, the reported figure; per cent and seconds.

    `targets` has for each target when the rows' runs reached it.
    """
    theirs = {key for _, _, reported, _ in rows for key in reported}
    shown = sets_of(seen for _, seen, _, _ in rows)
    sets = [name for name in ("train", "val", *shown) if name in shown or name in theirs]
    extra = sorted(theirs - {*sets, "seconds"})
    head = [Cell(first, "name")]
    for name in (*sets, "seconds"):
        text = words("table.seconds") if name == "seconds" else f"{words(f'set.{name}')} (%)"
        head.append(Cell(capital(text), "number"))
        head += [Cell(words("table.reported"), "reported")] if name in theirs else []
    head += [Cell(f"{name} ({words('table.reported')}, %)", "reported") for name in extra]
    for arrivals in targets:
        head += [Cell(capital(text), "number") for text in _arrival_names(words, arrivals[0])]
    head.append(Cell("n", "number"))
    # A long name would be squeezed into a tower of single words.
    kind = "name long" if max(len(title) for title, *_ in rows) > LONG_NAME else "name"
    columns: list[Sequence[Cell]] = [[Cell(title, kind, remarks) for title, _, _, remarks in rows]]
    for name in (*sets, "seconds"):
        ours = [_measured(words, seen, name) for _, seen, _, _ in rows]
        columns.append([Cell(t, "number") for t in numbers.align(ours, words("decimal"))])
        if name in theirs:
            columns.append([Cell(_reported(words, r, name), "reported") for _, _, r, _ in rows])
    columns += [
        [Cell(_reported(words, r, name), "reported") for _, _, r, _ in rows] for name in extra
    ]
    for arrivals in targets:
        columns += zip(*(_arrival_cells(words, one) for one in arrivals), strict=True)
    columns.append([Cell(str(len(seen.records)), "number") for _, seen, _, _ in rows])
    return Table(tuple(head), tuple(zip(*columns, strict=True)))


def _arrival_names(words: Words, found: TimeToTarget) -> tuple[str, str]:
    told = {"target": numbers.target(words, found.target), "on": words(f"set.{found.on}")}
    return words("table.epochs_to", **told), words("table.seconds_to", **told)


def _arrival_cells(words: Words, found: TimeToTarget) -> tuple[Cell, Cell]:
    """Medians, with what became of the runs that never got there."""
    never = words("table.never", down=found.never, n=len(found.epochs)) if found.never else ""
    epochs, seconds = found.median_epochs, found.median_seconds
    if not math.isfinite(epochs):
        return Cell("–", "number", never), Cell("–", "number")
    return (
        Cell(words.exact(epochs), "number", never),
        Cell(words.number(seconds, numbers.decimals_of_seconds(seconds)), "number"),
    )


def _remarks(words: Words, level: LevelAnswer, edge: Sequence[Edge] | None) -> str:
    """What there is to say of a level; `edge` is that of the best one (None: it is another)."""
    runs = len(level.records)
    told = [words("table.best")] if edge is not None and level.trained else []
    told += [_at_the_edge(words, one) for one in edge or ()]
    if down := sum(collapsed(record) for record in level.records):
        told.append(words("table.collapsed", down=down, n=runs))
    if level.diverged:
        told.append(words("table.diverged", down=level.diverged, n=runs))
    if level.busy:
        told.append(words("table.busy", down=level.busy, n=runs))
    told += [f"{_knobs(words, spelled)} ({times} ×)" for spelled, times in level.retuned.items()]
    told += [_at_the_edge(words, one) for one in level.edge]
    return "; ".join(told)


def _at_the_edge(words: Words, edge: Edge) -> str:
    return words(f"table.edge_{edge.side}", knob=knob_name(words, edge.knob))


def _knobs(words: Words, spelled: str) -> str:
    """`learning rate = 0,1` for `learning_rate = 0.1`; there may be several."""
    pairs = [pair.partition(" = ") for pair in spelled.split(", ")]
    return ", ".join(
        f"{knob_name(words, knob)} = {value_name(words, _number(value))}" if mark else knob
        for knob, mark, value in pairs
    )


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _measured(words: Words, seen: LevelAnswer | ExperimentAnswer, name: str) -> str:
    summary = seen.seconds if name == "seconds" else seen.accuracy[name]
    if not summary.values:
        return "–"
    if name == "seconds":
        return numbers.seconds_number(words, summary)
    return numbers.accuracy_number(words, summary)


def _reported(words: Words, reported: Mapping[str, float], name: str) -> str:
    if name not in reported:
        return ""
    return words.exact(round(reported[name] * (1 if name == "seconds" else 100), 4))
