"""What was measured, kept part by part in a file that the page is written from."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.compiling import CompileTime
from benchmarks.growth import Growth
from benchmarks.kernels import KernelTime
from benchmarks.left import Left
from benchmarks.load import LoadTime
from benchmarks.origin import Origin
from benchmarks.peers import PEERS
from benchmarks.race import Result
from benchmarks.session import Conditions, Session
from benchmarks.shares import ShareTime
from benchmarks.vectors import HELD
from siffra.errors import BenchError
from siffra.system.cpu import name_among


@dataclass(slots=True)
class Results:
    """All parts, by name, measured under the same conditions; `origins` of what is in them.

    What was measured before origins were kept has none. `held` are workloads of all held to
    narrower vectors than the machine has, under the names of `by_held_name`.
    """

    conditions: Conditions
    works: dict[str, Result] = field(default_factory=dict)
    growth: dict[str, Growth] = field(default_factory=dict)
    kernels: dict[str, KernelTime] = field(default_factory=dict)
    shares: dict[str, ShareTime] = field(default_factory=dict)
    left: dict[str, Left] = field(default_factory=dict)
    load: dict[str, LoadTime] = field(default_factory=dict)
    compiling: dict[str, CompileTime] = field(default_factory=dict)
    origins: dict[str, Origin] = field(default_factory=dict)
    held: dict[str, Result] = field(default_factory=dict)

    @property
    def session(self) -> Session:
        """The workloads, as if they had been timed in one session."""
        return _session(self.conditions, self.works)

    @property
    def held_session(self) -> Session:
        """The same of those that were held to AVX2."""
        return _session(replace(self.conditions, held=_AVX2), self.held)


def _session(conditions: Conditions, works: Mapping[str, Result]) -> Session:
    results = list(works.values())
    peers = [name for name in PEERS if any(name in r.timings for r in results)]
    return Session(conditions, peers, results)


def by_held_name(session: Session) -> dict[str, Result]:
    """The results of a session that was held to narrower vectors, by names of their own."""
    return {f"{session.conditions.held} {result.name}": result for result in session.results}


_ADAPTER = TypeAdapter(Results)
_AVX2 = HELD["avx2"]


def read(path: Path) -> Results | None:
    """What `path` holds; None if there is no such file.

    Raises:
        BenchError: It was written by another version of the benchmarks.
    """
    if not path.exists():
        return None
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except ValueError as error:
        raise BenchError(f"{path}: not what is written today; --fresh starts anew.") from error


def check(path: Path, conditions: Conditions, origin: Origin) -> None:
    """Whether what is measured under these conditions may be kept with what `path` holds.

    Raises:
        BenchError: `path` holds what was measured under others, or on another machine.
    """
    old = read(path)
    if old is None:
        return
    try:
        _agree(old.conditions, conditions)
        for other in old.origins.values():
            other.agree(origin)
    except BenchError as error:
        raise BenchError(f"{path}: {error}. --fresh starts anew.") from error


def _agree(old: Conditions, new: Conditions) -> None:
    new = replace(new, cpu=name_among(new.cpu, (old.cpu,)), held="")
    if (was := str(old)) != (now := str(new)):
        raise BenchError(f"was measured on {was}; this is {now}")
    before, after = old.versions, new.versions
    for name in before.keys() & after.keys():
        if before[name] != after[name]:
            raise BenchError(f"was measured with {name} {before[name]}; this is {after[name]}")


def keep(path: Path, new: Results, order: Iterable[str], *, fresh: bool) -> Results:
    """Put what is `new` in place of what `path` holds of it, in `order`, and write it.

    Whether they may stand together is for `check` to say, before anything is measured.
    """
    old = None if fresh else read(path)
    merged = _merge(old or Results(new.conditions), new)
    order = list(order)
    merged.works = {name: merged.works[name] for name in order if name in merged.works}
    merged.held = dict(sorted(merged.held.items(), key=lambda item: order.index(item[1].name)))
    told = _ADAPTER.dump_python(merged, mode="json")
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return merged


def _merge(old: Results, new: Results) -> Results:
    versions = old.conditions.versions | new.conditions.versions
    parts = (each.name for each in fields(Results) if each.name != "conditions")
    return Results(
        replace(new.conditions, versions=versions, held=""),
        **{part: getattr(old, part) | getattr(new, part) for part in parts},
    )
