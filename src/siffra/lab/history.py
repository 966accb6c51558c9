"""Labs that were asked, saved beside the store: one JSON file each, with the whole plan.

The store has the runs; the history knows which of them belong together, and to what question.
With the plan and the keys of its runs a lab can be answered, or resumed, long after its lab file
is gone.
"""

import hashlib
import logging
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, field_validator

from siffra.config import Setting
from siffra.data.load import DataSource
from siffra.errors import StoreError
from siffra.lab.execute.results import Keys, Results, Shortfall
from siffra.lab.plan.format import MOST_SEEDS
from siffra.lab.plan.plan import Plan, PlannedRun, PlannedTiming
from siffra.lab.stats.rounds import possible_timings
from siffra.store.schema import beside, make_private
from siffra.store.store import Store
from siffra.system.atomic_write import write_whole
from siffra.training.run import Record
from siffra.training.timing import Timing

_PLAN = TypeAdapter(Plan)
_ID = re.compile(r"[0-9a-f]{16}")
_MOST_BYTES = 100_000_000

log = logging.getLogger("siffra.lab")


class SavedLab(BaseModel):
    """A lab that was asked: its plan, the keys of all its `runs` in their order, and when.

    `timing_keys` are those of all rounds in which it may time its settings, in their order. A lab
    that came to its end without a first look at everything has a `shortfall`.
    """

    # A metric without a least value has one of minus infinity, which JSON has no number for.
    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    id: str
    plan: Plan
    keys: tuple[str, ...]
    asked: datetime
    timing_keys: tuple[str, ...] = ()
    shortfall: Shortfall | None = None

    @field_validator("plan")
    @classmethod
    def _derive_ad_hoc(cls, plan: Plan) -> Plan:
        """Older versions told an ad-hoc plan by a preset that no lab file can name."""
        return replace(plan, ad_hoc=True) if plan.preset == "vary" else plan

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """Every run that the lab may come to need, up to its last look."""
        return self.plan.possible_runs

    @property
    def data(self) -> DataSource:
        """What it is about."""
        return self.plan.data or DataSource()

    def results(self, store: Store) -> Results:
        """Those of its runs and rounds that are stored."""
        records = self.by_setting(store.get_all(self.keys))
        return Results(records, self.timings(store), self.shortfall)

    def timings(self, store: Store) -> dict[PlannedTiming, Timing]:
        """Those of its rounds that are stored."""
        stored = store.timings(self.timing_keys)
        rounds = zip(possible_timings(self.plan), self.timing_keys, strict=False)
        return {planned: stored[key] for planned, key in rounds if key in stored}

    def by_setting(self, records: Mapping[str, Record]) -> dict[tuple[Setting, int], Record]:
        """Those of the lab's runs that are among `records`, by setting and seed, not by key."""
        return {
            (planned.setting, planned.seed): records[key]
            for planned, key in zip(self.runs, self.keys, strict=True)
            if key in records and not records[key].lacks(self.plan.metrics)
        }


def make_saved_lab(plan: Plan, keys: Keys) -> SavedLab:
    """`plan` as it is saved: with its data's path absolute, and an id of all that it asks."""
    if plan.data and plan.data.path:
        path = plan.data.path.absolute()
        plan = replace(plan, data=plan.data.model_copy(update={"path": path}))
    run_keys = tuple(map(keys.of, plan.possible_runs))
    timing_keys = tuple(map(keys.of, possible_timings(plan)))
    # Of an ad-hoc question the digest is that of what was typed: defaults spelled out, or not.
    same = replace(plan, digest="") if plan.ad_hoc else plan
    # What the digest and the rest decide is left out, so that labs of before it was kept keep
    # their ids.
    asked = _PLAN.dump_json(
        same,
        exclude={
            "questions": {
                "__all__": {
                    "by": True,
                    "metrics": True,
                    "search": True,
                    "levels": {"__all__": {"lengths"}},
                    "claims": {"__all__": {"times", "plus", "by", "named"}},
                }
            },
            "experiments": {"__all__": {"length", "metrics"}},
            "stand_ins": True,
            "left_out": True,
            "ad_hoc": True,
            "time": True,
            "tuning_seeds": True,
            "averages": True,
            "paired": True,
            "given": True,
            "notes": True,
            "caveats": True,
            "again": True,
        },
    )
    described = asked + "".join(sorted(run_keys)).encode()
    name = hashlib.sha256(described).hexdigest()[:16]
    return SavedLab(
        id=name, plan=plan, keys=run_keys, asked=datetime.now(UTC), timing_keys=timing_keys
    )


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError("too large")
    return content


def _check(lab: SavedLab, name: str) -> None:
    """Check that a lab that was read holds together, before anything is made of it.

    Raises:
        ValueError: It does not.
    """
    plan = lab.plan
    seeds = plan.looks[-1:] or (len(plan.seeds),)
    claims = [(claim, len(q.levels)) for q in plan.questions for claim in q.claims]
    sides = [
        (level, levels)
        for claim, levels in claims
        for side in (claim.level, claim.against)
        if isinstance(side, tuple)
        for level in side
    ]
    holds = (
        lab.id == name  # by which files are named
        and 1 <= seeds[0] <= MOST_SEEDS
        and list(plan.looks) == sorted(set(plan.looks))
        and len(lab.keys) == len(plan.possible_runs) > 0
        and all(level.settings for q in plan.questions for level in q.levels)
        and all(0 <= level < levels for level, levels in sides)
    )
    if not holds:
        raise ValueError("it does not hold together")


@lru_cache(maxsize=1000)
def _say_once(line: str) -> None:
    """Once in a process: a page lists the same labs again and again."""
    log.warning("%s", line)


class LabHistory:
    """The labs that are saved beside the store at `store`."""

    def __init__(self, store: Path) -> None:
        self.folder = beside(store, ".labs")

    def keep(self, lab: SavedLab) -> None:
        """Save `lab`, whole or not at all; one that is saved already stays as it was.

        One that is there but cannot be read is replaced, as is one that had another budget or was
        timed on another machine.

        Raises:
            StoreError: It cannot be written.
        """
        saved = self.get(lab.id)
        if saved is None or (saved.plan, saved.timing_keys) != (lab.plan, lab.timing_keys):
            self._write(lab)

    def end(self, name: str, shortfall: Shortfall | None) -> None:
        """Note that the lab with this id, which is kept, came to its end, and without what.

        Raises:
            StoreError: It cannot be written.
        """
        saved = self.get(name)
        if saved and saved.shortfall != shortfall:
            self._write(saved.model_copy(update={"shortfall": shortfall}))

    def get(self, name: str) -> SavedLab | None:
        """The lab with this id; None if there is none, or none that can be read: see the log."""
        if not _ID.fullmatch(name):
            return None
        path = self._path(name)
        try:
            if not path.is_file():
                return None
            lab = SavedLab.model_validate_json(_content(path))
            _check(lab, name)
        except (OSError, ValueError):
            _say_once(
                f"{path}: this lab is left out: it is damaged, or of another version of siffra. "
                "Asked again, it is kept anew."
            )
            return None
        return lab

    def names(self) -> list[str]:
        """The ids of all labs."""
        with suppress(OSError):
            return [p.stem for p in self.folder.glob("*.json") if _ID.fullmatch(p.stem)]
        return []

    def labs(self) -> list[SavedLab]:
        """All labs that can be read, the latest first."""
        return latest_first(lab for name in self.names() if (lab := self.get(name)))

    def forget(self, name: str) -> None:
        """Keep the lab with this id no longer; its runs stay in the store."""
        if _ID.fullmatch(name):
            self._path(name).unlink(missing_ok=True)

    def _write(self, lab: SavedLab) -> None:
        with suppress(OSError):  # if it cannot be made, the writing tells
            make_private(self.folder)
        write_whole(self._path(lab.id), lab.model_dump_json().encode(), StoreError)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def latest_first(labs: Iterable[SavedLab]) -> list[SavedLab]:
    """In the order in which labs are listed."""
    return sorted(labs, key=lambda lab: (lab.asked, lab.id), reverse=True)
