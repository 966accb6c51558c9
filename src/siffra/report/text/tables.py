"""A report's tables: what was measured at each level, beside what was reported for it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from siffra.report.model import Look, Question, Report
from siffra.report.model.claims import Undecided
from siffra.report.model.measured import Experiment, Level, Measured, Metric, Target
from siffra.report.text import numbers
from siffra.report.text.labels import LONG_NAME, sets_of
from siffra.report.text.messages import GAP, Words, capital

MANY = 8
"""A table of more levels than this is folded on a page: its figure shows them all."""


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
    note: str = ""
    """What its asterisks mean."""

    @property
    def texts(self) -> tuple[list[str], list[list[str]]]:
        """The texts of the header, and those of each row, for where there is no style."""
        head, *rows = [[cell.text for cell in row] for row in (self.head, *self.rows)]
        return head, rows


def levels_table(words: Words, question: Question) -> Table:
    """A question's levels."""
    # Names too long for an axis are numbered, as figures show the numbers instead.
    is_numbered = max(len(level.name) for level in question.levels) > LONG_NAME
    names = [
        f"{i}. " * is_numbered + (level.name if question.metrics else capital(level.name))
        for i, level in enumerate(question.levels, start=1)
    ]
    first = capital(words("figure.level")) if is_numbered else question.heading
    return _table(words, first, names, question.levels, question.metrics)


def added_table(words: Words, question: Question) -> Table | None:
    """What each ingredient of a recipe adds, in points and seconds; None for another question."""
    if question.added is None:
        return None
    sets = list(question.added[0].accuracy)
    head = [
        Cell(capital(words("added.ingredient")), "name"),
        *(Cell(capital(words(f"set.{name}")), "number") for name in sets),
    ]
    changes = [[part.accuracy[name] for part in question.added] for name in sets]
    if any(part.seconds for part in question.added):
        head.append(Cell(capital(words("table.seconds")), "number"))
        changes.append([part.seconds for part in question.added])
    head.append(Cell("n", "number"))
    columns = [
        [Cell(capital(part.name), "name long") for part in question.added],
        *(_numbers(words, [c.text if c else "–" for c in column]) for column in changes),
        [Cell(str(part.n), "number") for part in question.added],
    ]
    return Table(tuple(head), tuple(zip(*columns, strict=True)))


def experiments_table(words: Words, experiments: Sequence[Experiment]) -> Table | None:
    """A lab's experiments; None if it has none."""
    names = [experiment.name for experiment in experiments]
    if not experiments:
        return None
    return _table(words, words("table.experiment"), names, experiments, experiments[0].named)


def verdicts_table(words: Words, report: Report) -> Table:
    """Every claim with whose it is, its verdict and its estimate, question by question."""
    head = [words(f"table.{name}") for name in ("claim", "verdict", "estimate")]
    rows = [
        (
            Cell(f"{place}{report.title_of(claim)}", "name long", claim.whose),
            Cell(claim.verdict_text, "name"),
            Cell(claim.estimate_in_short, "name"),
        )
        for question in report.questions
        for place in [f"{question.id}. " if report.is_claimed else ""]
        for claim in question.claims
    ]
    return Table(tuple(Cell(capital(text), "name") for text in head), tuple(rows))


def looks_table(words: Words, looks: Sequence[Look]) -> Table | None:
    """The looks of a lab's claims; None for a lab without."""
    if not looks:
        return None
    head = [
        words(f"table.look_{name}") for name in ("seeds", "spent", "decided", "open", "waiting")
    ]
    rows = [
        (
            str(look.seeds),
            numbers.share(words, look.spent, numbers.decimals_for(100 * look.spent / 20, most=5)),
            str(look.decided),
            str(look.open),
            str(look.waiting),
        )
        for look in looks
    ]
    return Table(
        tuple(Cell(capital(text), "number") for text in head),
        tuple(tuple(Cell(text, "number") for text in row) for row in rows),
    )


def undecided_table(words: Words, report: Report) -> Table | None:
    """The claims that have a look left, and what deciding each would take; None if there are none.

    Those that no number of seeds is likely to decide come last.
    """
    if not report.undecided:
        return None
    names = ["n", *(capital(words(f"table.{name}")) for name in ("needed", "training"))]
    rows = [
        (
            Cell(report.title_of(report.claim_of(part)), "name long"),
            Cell(str(part.n), "number"),
            Cell(_seeds(words, part), "number"),
            Cell("–" if part.seconds is None else numbers.span(words, part.seconds), "number"),
        )
        for part in report.undecided
    ]
    head = Cell(capital(words("table.claim")), "name"), *(Cell(name, "number") for name in names)
    return Table(head, tuple(rows))


def _seeds(words: Words, part: Undecided) -> str:
    if part.seeds is None:
        return "–"
    return words("table.first_look", n=part.seeds) if part.is_first else str(part.seeds)


def _table(
    words: Words,
    first: str,
    names: Sequence[str],
    rows: Sequence[Level | Experiment],
    metrics: Sequence[Metric],
) -> Table:
    """Ours and, beside it where there is one, the reported figure; per cent and seconds.

    Of levels also when their runs reached each target.
    """
    theirs = {key for row in rows for key in row.reported}
    shown = sets_of(rows)
    sets = [name for name in ("train", "val", *shown) if name in shown or name in theirs]
    extra = sorted(theirs - {*sets, *(metric.name for metric in metrics), "seconds"})
    head = [Cell(first, "name")]
    # A long name would be squeezed into a tower of single words.
    kind = "name long" if max(map(len, names)) > LONG_NAME else "name"
    pairs = zip(names, rows, strict=True)
    columns: list[Sequence[Cell]] = [[Cell(name, kind, row.remarks) for name, row in pairs]]
    for metric in metrics:
        head.append(Cell(metric.name, "number"))
        columns.append(_numbers(words, [row.metrics[metric.name].text for row in rows]))
        if metric.name in theirs:
            scale = 100 if metric.unit == "fraction" else 1
            head.append(Cell(words("table.reported"), "reported"))
            columns.append([_reported(words, row.reported, metric.name, scale) for row in rows])
    for name in (*sets, *(["seconds"] if has_times(rows) else [])):
        text = words("table.run_seconds") if name == "seconds" else f"{words(f'set.{name}')} (%)"
        head.append(Cell(capital(text), "number"))
        columns.append(_numbers(words, [_measured(row, name) for row in rows]))
        if name == "seconds":
            columns[-1] = [_marked(*pair) for pair in zip(columns[-1], rows, strict=True)]
        if name in theirs:
            head.append(Cell(words("table.reported"), "reported"))
            scale = 1 if name == "seconds" else 100
            columns.append([_reported(words, row.reported, name, scale) for row in rows])
    head += [Cell(f"{name} ({words('table.reported')}, %)", "reported") for name in extra]
    columns += [[_reported(words, row.reported, name) for row in rows] for name in extra]
    by_level = [row.targets for row in rows if isinstance(row, Level)]
    for targets in zip(*by_level, strict=True):
        head += [Cell(capital(text), "number") for text in _target_names(words, targets[0])]
        columns += zip(*(_target_cells(words, target) for target in targets), strict=True)
        if all(cell.text == "–" for cell in columns[-1]):  # nor is there a median of epochs
            head.pop()
            columns.pop()
    if any(row.collapsed for row in rows):
        head.append(Cell(capital(words(failure_heading(metrics))), "number"))
        columns.append([_collapsed(words, row) for row in rows])
    head.append(Cell("n", "number"))
    columns.append([Cell(str(row.n), "number") for row in rows])
    note = f"* {words('busy.note')}" if any(row.busy for row in rows) else ""
    return Table(tuple(head), tuple(zip(*columns, strict=True)), note)


def has_times(rows: Sequence[Measured]) -> bool:
    """Whether it is known how long any of the runs took."""
    return any(seconds for row in rows for seconds in row.seconds.values)


def failure_heading(metrics: Collection[object]) -> str:
    """What heads the column of runs that failed; without `metrics` of their own they collapsed."""
    return "table.failed" if metrics else "table.collapsed"


def collapsed_text(words: Words, row: Measured) -> str:
    """`3 of 5`; a dash without runs."""
    return words("table.of", down=row.collapsed, n=row.n) if row.n else "–"


def _collapsed(words: Words, row: Measured) -> Cell:
    """How many runs collapsed, with the share of runs that this is compatible with."""
    if row.collapse is None:
        return Cell(collapsed_text(words, row), "number")
    low, high = (words.number(100 * end) for end in (row.collapse.low, row.collapse.high))
    return Cell(collapsed_text(words, row), "number", f"{low}–{high}{GAP}%")


def _numbers(words: Words, texts: Sequence[str]) -> list[Cell]:
    """A column of numbers, their decimals under each other."""
    return [Cell(text, "number") for text in numbers.align(texts, words("decimal"))]


def _target_names(words: Words, target: Target) -> tuple[str, str]:
    values = {"target": numbers.target(words, target.target), "on": words(f"set.{target.on}")}
    return words("table.epochs_to", **values), words("table.seconds_to", **values)


def _target_cells(words: Words, target: Target) -> tuple[Cell, Cell]:
    """Medians, with what became of the runs that never got there."""
    n, never = len(target.epochs.values), target.never
    note = words("table.never", down=never, n=n) if never else ""
    epochs, seconds = target.epochs.median, target.seconds.median
    if epochs is None or seconds is None:
        return Cell("–", "number", note), Cell("–", "number")
    return (
        Cell(words.exact(epochs), "number", note),
        Cell(words.number(seconds, numbers.decimals_of_seconds(seconds)), "number"),
    )


def _marked(cell: Cell, row: Measured) -> Cell:
    """A time, with an asterisk if it was taken on a busy machine."""
    return replace(cell, text=f"{cell.text}*") if row.busy else cell


def _measured(row: Measured, name: str) -> str:
    return (row.seconds if name == "seconds" else row.accuracy[name]).text


def _reported(words: Words, reported: Mapping[str, float], name: str, scale: int = 100) -> Cell:
    """What was reported, times `scale`: fractions are shown in per cent."""
    if name not in reported:
        return Cell("", "reported")
    return Cell(words.exact(float(f"{reported[name] * scale:.10g}")), "reported")
