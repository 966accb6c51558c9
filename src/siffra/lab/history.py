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
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.engine.base import Engine
from siffra.errors import StoreError
from siffra.lab.execute.runner import run_keys
from siffra.lab.plan.format import MOST_SEEDS
from siffra.lab.plan.plan import Plan, PlannedRun
from siffra.store.schema import beside, make_private
from siffra.store.store import Store
from siffra.system.atomic_write import write_whole
from siffra.training.run import Record

_PLAN = TypeAdapter(Plan)
_ID = re.compile(r"[0-9a-f]{16}")
_MOST_BYTES = 100_000_000

log = logging.getLogger("siffra.lab")


class SavedLab(BaseModel):
    """A lab that was asked: its plan, the keys of all its `runs` in their order, and when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    plan: Plan
    keys: tuple[str, ...]
    asked: datetime

    @field_validator("plan")
    @classmethod
    def _derive_ad_hoc(cls, plan: Plan) -> Plan:
        """Older versions told an ad-hoc plan by a preset that no lab file can name."""
        return replace(plan, ad_hoc=True) if plan.preset == "vary" else plan

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """Every run that the lab may come to need: those of its last look, if it has looks."""
        return _whole(self.plan).runs

    @property
    def data(self) -> DataSource:
        """What it is about."""
        return self.plan.data or DataSource()

    def records(self, store: Store) -> dict[tuple[Setting, int], Record]:
        """Those of its runs that are stored, by setting and seed."""
        return self.by_setting(store.get_all(self.keys))

    def by_setting(self, records: Mapping[str, Record]) -> dict[tuple[Setting, int], Record]:
        """Those of the lab's runs that are among `records`, by setting and seed, not by key."""
        return {
            (planned.setting, planned.seed): records[key]
            for planned, key in zip(self.runs, self.keys, strict=True)
            if key in records
        }


def make_saved_lab(plan: Plan, dataset: Dataset, engine: Engine) -> SavedLab:
    """`plan` as it is saved: with its data's path absolute, and an id of all that it asks."""
    if plan.data and plan.data.path:
        path = plan.data.path.absolute()
        plan = replace(plan, data=plan.data.model_copy(update={"path": path}))
    keys = tuple(run_keys(_whole(plan), dataset, engine).values())
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
                    "levels": {"__all__": {"lengths"}},
                    "claims": {"__all__": {"times", "plus", "by"}},
                }
            },
            "experiments": {"__all__": {"length"}},
            "stand_ins": True,
            "left_out": True,
            "ad_hoc": True,
            "time": True,
            "tuning_seeds": True,
        },
    )
    described = asked + "".join(sorted(keys)).encode()
    name = hashlib.sha256(described).hexdigest()[:16]
    return SavedLab(id=name, plan=plan, keys=keys, asked=datetime.now(UTC))


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError("too large")
    return content


def _check(lab: SavedLab, name: str) -> None:
    """See that a lab that was read holds together, before anything is made of it.

    Raises:
        ValueError: It does not.
    """
    plan = lab.plan
    seeds = plan.looks[-1:] or (len(plan.seeds),)
    settings = {s for q in plan.questions for level in q.levels for s in level.settings}
    settings |= {experiment.setting for experiment in plan.experiments}
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
        and len(lab.keys) == seeds[0] * len(settings) > 0
        and all(level.settings for q in plan.questions for level in q.levels)
        and all(0 <= level < levels for level, levels in sides)
    )
    if not holds:
        raise ValueError("it does not hold together")


@lru_cache(maxsize=1000)
def _say_once(line: str) -> None:
    """Once in a process: a page lists the same labs again and again."""
    log.warning("%s", line)


def _whole(plan: Plan) -> Plan:
    """`plan` with the seeds of all its looks."""
    return replace(plan, seeds=tuple(range(plan.looks[-1])), looks=()) if plan.looks else plan


class LabHistory:
    """The labs that are saved beside the store at `store`."""

    def __init__(self, store: Path) -> None:
        self.folder = beside(store, ".labs")

    def keep(self, lab: SavedLab) -> None:
        """Save `lab`, whole or not at all; one that is saved already stays as it was.

        One that is there but cannot be read is replaced, as is one with another time budget.

        Raises:
            StoreError: It cannot be written.
        """
        known = self.get(lab.id)
        if known is None or known.plan.time != lab.plan.time:
            path, content = self._path(lab.id), lab.model_dump_json().encode()
            with suppress(OSError):  # if it cannot be made, the writing tells
                make_private(self.folder)
            write_whole(path, content, StoreError)

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

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"


def latest_first(labs: Iterable[SavedLab]) -> list[SavedLab]:
    """In the order in which labs are listed."""
    return sorted(labs, key=lambda lab: (lab.asked, lab.id), reverse=True)
