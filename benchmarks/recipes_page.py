"""The table in docs/search.md: what the recipes and the study's experiments do here."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from siffra.config.recipes import Interval, Measured
from siffra.data.shifted import SHIFTED
from siffra.errors import BenchError

BEGIN, END = "<!-- measured: `python -m benchmarks.recipes --page` -->", "<!-- measured ends -->"

_STUDY = TypeAdapter(dict[str, Measured])


def keep_study(path: Path, figures: Mapping[str, Measured]) -> None:
    """Write what was measured of the study's experiments."""
    payload = _STUDY.dump_python(dict(figures), mode="json", exclude_none=True)
    path.write_text(json.dumps(payload, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def kept_study(path: Path) -> dict[str, Measured]:
    """What was measured of the study's experiments, by their names; nothing if it never was.

    Raises:
        BenchError: The file is of another shape.
    """
    if not path.exists():
        return {}
    try:
        return _STUDY.validate_json(path.read_bytes())
    except ValidationError as error:
        raise BenchError(f"{path}: not what is written today; measure the study anew.") from error


def with_table(page: str, rows: Mapping[str, Measured | None]) -> str:
    """The page with a table of these rows between its marks.

    Raises:
        BenchError: The page has no such marks, or nothing was measured.
    """
    known = {name: figures for name, figures in rows.items() if figures}
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise BenchError(f"the page has no lines {BEGIN} and {END} to write between.")
    if not known:
        raise BenchError("no recipe has been measured; name one, with --write.")
    return "\n".join([f"{before}{BEGIN}", "", *_table(known), "", f"{END}{after}"])


def _table(rows: Mapping[str, Measured]) -> Iterator[str]:
    present = {name for figures in rows.values() for name in figures.accuracy}
    sets = [name for name in ("test", *SHIFTED) if name in present]
    yield _row("model", *(f"{name} (%)" for name in sets), "training (s)", "n")
    yield "|---|" + "---:|" * (len(sets) + 2)
    for name, figures in rows.items():
        seconds = _seconds(figures.seconds)
        cells = [_percent(figures.accuracy.get(each)) for each in sets]
        yield _row(name, *cells, seconds, str(figures.seeds))
        if averaged := figures.averaged:
            cells = [_percent(averaged.accuracy.get(each)) for each in sets]
            also = f"{name}, averaged over {averaged.views} views"
            yield _row(also, *cells, seconds, str(averaged.seeds))
    yield ""
    yield from _notes(rows)


def _notes(rows: Mapping[str, Measured]) -> Iterator[str]:
    yield "Means over seeds with 95 % intervals; training seconds include augmentation."
    factors = [figures.averaged.times_as_long for figures in rows.values() if figures.averaged]
    if factors:
        ends = dict.fromkeys(f"{factor:.1f}" for factor in (min(factors), max(factors)))
        yield f"Averaging makes prediction {' to '.join(ends)} times as slow, training no slower."
    machines: dict[str, list[str]] = {}
    for name, figures in rows.items():
        where = f"{figures.machine}, {figures.threads} threads, {figures.engine}"
        machines.setdefault(where, []).append(name)
    for where, names in machines.items():
        whose = "" if len(machines) == 1 else f" ({', '.join(names)})"
        yield f"Measured on {where}{whose}."


def _percent(interval: Interval | None) -> str:
    if interval is None:
        return "–"
    return _plus_minus(100 * interval.mean, _half_width(interval, 100), 2)


def _seconds(interval: Interval) -> str:
    return _plus_minus(interval.mean, _half_width(interval, 1), 2 if interval.mean < 10 else 1)


def _half_width(interval: Interval, factor: float) -> float | None:
    """The longer arm; None for a single run."""
    if interval.low is None or interval.high is None:
        return None
    return factor * max(interval.high - interval.mean, interval.mean - interval.low)


def _plus_minus(mean: float, half: float | None, decimals: int) -> str:
    return f"{mean:.{decimals}f}" + ("" if half is None else f" ± {half:.{decimals}f}")


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
