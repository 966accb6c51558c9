"""The store's runs as the page shows them: in a table, one in full, two beside each other."""

import operator
import re
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from siffra.config import KNOBS, ExternalModel
from siffra.data.dataset import SETS
from siffra.errors import StoreError
from siffra.report.text.messages import LANGUAGES
from siffra.report.text.provenance import train_command
from siffra.store.store import Store
from siffra.training.run import Record
from siffra.web.errors import ApiError, each_readable
from siffra.web.pages import page_words

COLUMNS = (
    "key", *KNOBS, "seed", "dataset", "engine", "parameters", *SETS,
    "seconds", "busy", "diverged", "failure", "finished",
)  # fmt: skip
"""Of every run; a program's have knobs and metrics of their own besides."""
MOST_COMPARED = 8
MOST_CONDITIONS = 10
MOST_ROWS = 1000

_CONDITION = re.compile(r"\s*([^<>=!]{1,60}?)\s*(<=|>=|!=|=|<|>)\s*(\S.{0,99}?)\s*", re.DOTALL)
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

Row = Mapping[str, Any]
Condition = Callable[[Row], bool]


class RunTable:
    """A row for each stored run; asks the store only for what it has not seen."""

    def __init__(self) -> None:
        self._rows: dict[str, Row] = {}
        self._seen: dict[str, str] = {}
        self._turn = threading.Lock()

    def rows(self, store: Store) -> list[Row]:
        """All rows, the oldest first; a run that cannot be read is left out."""
        with self._turn:
            # Not only those that were finished last: a run may be stored long after it was
            # finished, made again, or gone with the whole store.
            finished = store.finished()
            new = [key for key, when in finished.items() if self._seen.get(key) != when]
            for key in new:
                self._rows.pop(key, None)
            for read in each_readable(_records(store, new), row, lambda record: record.key):
                self._rows[read["key"]] = read
            self._rows = {key: self._rows[key] for key in finished if key in self._rows}
            self._seen = finished
            return list(self._rows.values())


def _records(store: Store, keys: Sequence[str]) -> list[Record]:
    """The runs with these keys; the store has said which are damaged."""
    try:
        return list(store.get_all(keys).values())
    except StoreError:  # one is of another siffra: which?
        records = each_readable(keys, store.get, lambda key: f"run {key}")
        return [record for record in records if record]


def row(record: Record) -> Row:
    """A run in one line."""
    knobs = record.setting.knobs()
    return {
        "key": record.key,
        **{knob: _plain(knobs.get(knob)) for knob in KNOBS},
        "seed": record.seed,
        "dataset": record.dataset,
        "engine": record.engine,
        "parameters": record.parameters,
        **{name: record.accuracy.get(name) for name in SETS},
        "seconds": record.seconds,
        "busy": record.load.is_busy if record.load else None,
        "diverged": record.diverged,
        "failure": record.failure or None,
        "finished": record.finished.isoformat(),
        **_own(record),
    }


def _own(record: Record) -> Row:
    """The knobs and metrics of a program: nothing of theirs takes the name of another column."""
    if not isinstance(record.model, ExternalModel):
        return {}
    knobs = {name: value for name, value in record.model.values if name not in KNOBS}
    named = {name if name not in COLUMNS else f"{name} (knob)": v for name, v in knobs.items()}
    for name, value in record.metrics.items():
        is_taken = name in COLUMNS or name in named
        named[f"{name} (metric)" if is_taken else name] = value
    return named


def own_columns(rows: Iterable[Row]) -> list[str]:
    """The columns that only some programs' runs have."""
    wide = (row for row in rows if len(row) > len(COLUMNS))
    return list(dict.fromkeys(name for row in wide for name in row if name not in COLUMNS))


def condition(text: str, own: Collection[str] = ()) -> Condition:
    """What `text`, such as `test > 95`, asks of a row; `model != dense`, `neurons = 64, 32`.

    A column goes by its name or by what the page calls it, in any language; those in `own` by their
    name. Numbers are compared
    with numbers; anything else can only be equal or not. Accuracies above 1 are per cent, as the
    table shows them.

    Raises:
        ApiError: It is no such condition.
    """
    parsed = _CONDITION.fullmatch(text)
    column = _column(parsed[1], own) if parsed else None
    if not parsed or column is None:
        raise ApiError("bad_request")
    sign, wanted = parsed[2], parsed[3]
    number = _number(wanted.removesuffix("%"))
    if number is not None and column in SETS and (number > 1 or wanted.endswith("%")):
        number /= 100
    if number is None and sign not in ("=", "!="):
        raise ApiError("bad_request")
    compare = _COMPARE[sign]

    def holds(row: Row) -> bool:
        value = row.get(column)
        if value is None:
            return sign == "!="
        if number is not None and isinstance(value, int | float) and not isinstance(value, bool):
            return compare(value, number)
        return compare(_spelled(value), wanted.lower()) if sign in ("=", "!=") else False

    return holds


def _column(named: str, own: Collection[str]) -> str | None:
    """The column that is called so; its label may stand with or without the per cent of a set."""
    if named in own:
        return named
    label = " ".join(named.removesuffix("%").split()).casefold()
    return label if label in COLUMNS else _labelled().get(label)


@cache
def _labelled() -> Mapping[str, str]:
    """Columns by what the page calls them, in each of its languages."""
    labels = {}
    for words in map(page_words, LANGUAGES):
        for column in COLUMNS:
            keys = (f"knob.{column}", f"ui.column.{column}", f"set.{column}")
            labels |= {words(key).casefold(): column for key in keys if key in words}
    return labels


def conditions(texts: Sequence[str], own: Collection[str] = ()) -> list[Condition]:
    """All of them, to be met together.

    Raises:
        ApiError: There are too many, or one is none.
    """
    if len(texts) > MOST_CONDITIONS:
        raise ApiError("bad_request")
    return [condition(text, own) for text in texts]


def matching(rows: Iterable[Row], asked: Sequence[Condition]) -> list[Row]:
    """The rows that meet all conditions."""
    return [row for row in rows if all(holds(row) for holds in asked)]


def ordered(
    rows: Iterable[Row], column: str, order: Literal["asc", "desc"], own: Collection[str] = ()
) -> list[Row]:
    """Sorted by a column, numbers before words; rows without a value always come last.

    Raises:
        ApiError: There is no such column.
    """
    if column not in COLUMNS and column not in own:
        raise ApiError("bad_request")
    rows = list(rows)
    having = [row for row in rows if row.get(column) is not None]
    without = [row for row in rows if row.get(column) is None]

    def place(row: Row) -> tuple[bool, Any]:
        value = row[column]
        is_number = isinstance(value, int | float)
        return not is_number, value if is_number else _spelled(value)

    return sorted(having, key=place, reverse=order == "desc") + without


def in_full(record: Record) -> dict[str, Any]:
    """Everything about a run; of a program's, `program` has its words, and no `command` trains it.

    Fields that most runs have nothing in are there all the same.
    """
    seldom = {"metrics": {}, "curves": {}, "failure": "", "output": []}
    whole = record.model_dump(mode="json", exclude={"model", "training", "fingerprint"})
    knobs = {knob: _plain(value) for knob, value in record.setting.knobs().items()}
    model = record.model
    program = list(model.command) if isinstance(model, ExternalModel) else None
    return {
        **seldom,
        **whole,
        "busy": record.is_busy,
        "knobs": knobs,
        "command": train_command(record) if program is None else None,
        "program": program,
    }


def compared(records: Sequence[Record]) -> dict[str, Any]:
    """Runs beside each other, each less the first. This is to look, not to judge."""
    first, *others = records
    whole = [in_full(record) for record in records]
    every = dict.fromkeys([*KNOBS, *(name for run in whole for name in run["knobs"])])
    values = {name: [run["knobs"].get(name) for run in whole] for name in every}
    return {
        "runs": whole,
        "differing": {k: of for k, of in values.items() if any(v != of[0] for v in of)},
        "same_seed": len({record.seed for record in records}) == 1,
        "differences": [_differences(other, first) for other in others],
    }


def _differences(ours: Record, first: Record) -> dict[str, Any]:
    both = ours.accuracy.keys() & first.accuracy.keys()
    measured = [name for name in first.metrics if name in ours.metrics]
    return {
        "accuracy": {s: _gap(ours.accuracy[s], first.accuracy[s]) for s in SETS if s in both},
        "metrics": {name: _gap(ours.metrics[name], first.metrics[name]) for name in measured},
        "seconds_ratio": ours.seconds / first.seconds if first.seconds else None,
    }


def _gap(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else ours - theirs


def _plain(value: object) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _spelled(value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.lower()


def _number(text: str) -> float | None:
    try:
        return float(re.sub(r"^(-?\d+),(\d+)$", r"\1.\2", text))  # as Swedish writes it
    except ValueError:
        return None
