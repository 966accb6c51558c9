"""What was measured, kept part by part in a file that the page is written from."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.growth import Growth
from benchmarks.kernels import KernelTime
from benchmarks.shares import ShareTime
from siffra.bench.measure import Result
from siffra.bench.peers import PEERS
from siffra.bench.session import Conditions, Session
from siffra.errors import BenchError


@dataclass(slots=True)
class Results:
    """All parts, by name, measured under the same conditions."""

    conditions: Conditions
    works: dict[str, Result] = field(default_factory=dict)
    growth: dict[str, Growth] = field(default_factory=dict)
    kernels: dict[str, KernelTime] = field(default_factory=dict)
    shares: dict[str, ShareTime] = field(default_factory=dict)

    @property
    def session(self) -> Session:
        """The works, as if they had been timed in one session."""
        results = list(self.works.values())
        peers = [name for name in PEERS if any(name in r.timings for r in results)]
        return Session(self.conditions, peers, results)


_ADAPTER = TypeAdapter(Results)


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


def keep(path: Path, new: Results, order: Iterable[str], *, fresh: bool) -> Results:
    """Put what is `new` in place of what `path` holds of it, in `order`, and write it.

    Raises:
        BenchError: `path` holds what was measured under other conditions.
    """
    old = None if fresh else read(path)
    merged = new if old is None else _merge(path, old, new)
    merged.works = {name: merged.works[name] for name in order if name in merged.works}
    told = _ADAPTER.dump_python(merged, mode="json")
    path.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return merged


def _merge(path: Path, old: Results, new: Results) -> Results:
    if (was := str(old.conditions)) != (now := str(new.conditions)):
        raise BenchError(f"{path}: was measured on {was}; this is {now}. --fresh starts anew.")
    before, after = old.conditions.versions, new.conditions.versions
    for name in before.keys() & after.keys():
        if before[name] != after[name]:
            raise BenchError(
                f"{path}: was measured with {name} {before[name]}; this is {after[name]}. "
                "--fresh starts anew."
            )
    conditions = Conditions(
        new.conditions.cpu, new.conditions.system, new.conditions.threads, before | after
    )
    return Results(
        conditions,
        old.works | new.works,
        old.growth | new.growth,
        old.kernels | new.kernels,
        old.shares | new.shares,
    )
