"""From a plan to records: has the runs made that are missing, and keeps each.

Everything that a killed lab needs to go on is in the store, so going on is conducting the
same plan again. Several processes may conduct on one store: each run is made by one of them.
*Where* runs are made is a site's matter (`siffra.lab.execute`); here it is decided what comes next.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.errors import SiteError, StoreError
from siffra.lab.execute.base import EpochMade, Lost, Made, News, Site
from siffra.lab.execute.cost import Costs
from siffra.lab.execute.events import (
    EpochDone,
    Event,
    Finished,
    Preparing,
    Progress,
    Restarted,
    Reused,
    Started,
    Waiting,
)
from siffra.lab.execute.local import Here
from siffra.lab.plan.plan import Plan, PlannedRun
from siffra.lab.stats.rounds import next_round
from siffra.store.store import Store
from siffra.training.run import Record, run_key

__all__ = [
    "Cost",
    "EpochDone",
    "Event",
    "Finished",
    "Preparing",
    "Progress",
    "Restarted",
    "Reused",
    "Started",
    "Waiting",
    "conduct",
    "estimate",
    "run_keys",
]

_POLL = 0.2
"""Seconds between looks at what other processes have finished."""
MOST_LOSSES = 3
"""A run whose maker is gone so often takes the lab down with it: it may well be the cause."""


Fresh = bool | Literal["busy"]
"""Whether stored runs are made anew: all, or those that were made on a busy machine."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan asks for: `runs` in all, `have` of them stored, `seconds` for the others.

    `seconds` is predicted wall time, compiling not counted.
    """

    runs: int
    have: int
    seconds: float


def conduct(
    plan: Plan,
    dataset: Dataset,
    engine: Engine,
    store: Store,
    on_event: Callable[[Event], None] = lambda event: None,
    *,
    fresh: Fresh = False,
    site: Site | None = None,
) -> dict[tuple[Setting, int], Record]:
    """Have every run of `plan` made that is not stored; return them all, by setting and seed.

    They are made on `site`, by default in this thread, one at a time.

    A run that is to be examined and was stored without that is made again for it. Its record
    stays: the same key gives the same network.

    Runs are made in the plan's order, except that those which another process is making are
    left to it, and taken over if it dies. Whatever ends this early, an interrupt or what
    `on_event` raises, loses the runs at work only. A run whose maker is gone is made again, but
    not for ever.

    A `fresh` conducting makes the stored runs too, and replaces each when its new one is there;
    with "busy", those whose times were taken on a busy machine.

    A plan with looks is judged at each; then the runs of the next look are made, of those claims
    that are still open.

    Raises:
        ConfigError: A model cannot be built for the data set's images.
        StoreError: A run cannot be stored or read.
        SiteError: The site cannot make runs, or has lost one again and again.
    """
    site = site or Here(dataset, engine)
    records: dict[tuple[Setting, int], Record] = {}
    current: Plan | None = plan
    while current:
        conductor = _Conductor(current, dataset, engine, store, on_event, fresh, len(records), site)
        records |= conductor.conduct()
        current = next_round(plan, records) if plan.looks else None
    return records


def estimate(
    plan: Plan,
    dataset: Dataset,
    engine: Engine,
    store: Store,
    *,
    fresh: Fresh = False,
    site: Site | None = None,
) -> Cost:
    """What conducting `plan` on `site` would take; a `fresh` conducting makes stored runs as well.

    Of a plan with looks, as far as the next look that is not made: what comes then is not known.

    Raises:
        ConfigError: A model cannot be built for the data set's images.
        StoreError: The store cannot be read.
    """
    site = site or Here(dataset, engine)
    costs = Costs(dataset, engine, store, site.jobs)
    records: dict[tuple[Setting, int], Record] = {}
    runs = have = 0
    current: Plan | None = plan
    while current:
        keys = run_keys(current, dataset, engine)
        stored = _stored(keys, store) - _anew(keys, store, fresh)
        missing = [planned for planned, key in keys.items() if key not in stored]
        runs, have = runs + len(keys), have + len(keys) - len(missing)
        if missing or not plan.looks:
            alone = [costs.seconds(planned.setting) for planned in missing]
            return Cost(runs, have, _shared_out(sum(alone), len(alone), site))
        found = store.get_all(keys.values())
        records |= {(p.setting, p.seed): found[key] for p, key in keys.items() if key in found}
        current = next_round(plan, records)
    return Cost(runs, have, 0.0)


def run_keys(plan: Plan, dataset: Dataset, engine: Engine) -> Mapping[PlannedRun, str]:
    """The run key of each planned run, in the plan's order."""
    split_for = lru_cache(maxsize=1)(dataset.split_for)  # a plan goes seed by seed
    return {
        planned: run_key(planned.setting, split_for(planned.seed), planned.seed, engine)
        for planned in plan.runs
    }


def _stored(keys: Mapping[PlannedRun, str], store: Store) -> set[str]:
    """The keys of the runs that need not be made: stored, and examined where that is wanted."""
    wanted = {key for planned, key in keys.items() if planned.examine}
    return store.stored(keys.values()) - (wanted - store.examined(wanted))


def _anew(keys: Mapping[PlannedRun, str], store: Store, fresh: Fresh) -> frozenset[str]:
    """The keys of the stored runs that a `fresh` conducting makes all the same."""
    if not fresh:
        return frozenset()
    stored = store.stored(keys.values())
    if fresh != "busy":
        return frozenset(stored)
    found = store.get_all(stored)
    return frozenset(key for key, record in found.items() if record.is_busy)


def _shared_out(seconds: float, runs: int, site: Site) -> float:
    """Wall seconds of `runs` that take `seconds` one after the other."""
    return seconds / max(1, min(site.size, runs))


class _Conductor:
    """One conducting of one plan.

    A run is at first `ahead`, and then given to the site, unless another process has claimed it:
    then it is `elsewhere`, and looked at again.
    """

    def __init__(
        self,
        plan: Plan,
        dataset: Dataset,
        engine: Engine,
        store: Store,
        on_event: Callable[[Event], None],
        fresh: Fresh,
        before: int,
        site: Site,
    ) -> None:
        self._store, self._on_event, self._site = store, on_event, site
        self._before = before  # runs of earlier looks
        self._keys = run_keys(plan, dataset, engine)
        self._anew = _anew(self._keys, store, fresh)
        self._costs = Costs(dataset, engine, store, site.jobs)
        self._records: dict[PlannedRun, Record] = {}
        self._ahead: deque[PlannedRun] = deque()
        self._elsewhere: deque[PlannedRun] = deque()
        self._looked = 0.0
        self._given: set[PlannedRun] = set()
        self._shares: dict[PlannedRun, float] = {}  # of those, what is behind them, where known
        self._again: deque[PlannedRun] = deque()  # of those, what is to be given once more
        self._losses: Counter[PlannedRun] = Counter()
        self._left = Counter(planned.setting for planned in self._keys)
        self._seconds_left = 0.0

    def conduct(self) -> dict[tuple[Setting, int], Record]:
        self._reuse_stored()
        if self._ahead:
            self._on_event(Preparing(self._progress()))
            self._site.expect(self._ahead)
        try:
            self._work()
        except BaseException:
            # Should the release fail too, the claims are void as soon as the store is closed.
            with suppress(StoreError):
                self._store.release(*(self._keys[planned] for planned in self._given))
            raise
        # In the plan's order, whoever made them.
        return {(p.setting, p.seed): self._records[p] for p in self._keys}

    def _work(self) -> None:
        waiting = False
        while self._ahead or self._elsewhere or self._given:
            before = len(self._records)
            self._hand_out()
            if self._given:
                self._attend()
            elif len(self._records) == before and not self._ahead:
                if not waiting:
                    self._on_event(Waiting(self._progress()))
                waiting = True
                time.sleep(_POLL)

    def _reuse_stored(self) -> None:
        stored = _stored(self._keys, self._store) - self._anew
        found = self._store.get_all(stored)
        for planned, key in self._keys.items():
            if key in found:
                self._keep(planned, found[key])
        self._ahead.extend(planned for planned in self._keys if planned not in self._records)
        self._predict()
        for planned, record in self._records.items():
            self._on_event(Reused(planned, record, self._progress()))

    def _hand_out(self) -> None:
        """Give the site as many runs as it has room for, of those that nobody has made or makes."""
        if not self._ahead and time.monotonic() - self._looked > _POLL:
            self._ahead, self._elsewhere = self._elsewhere, deque()
            self._looked = time.monotonic()
        while self._again and self._site.room:
            self._site.give(self._again.popleft())
        some = [self._ahead.popleft() for _ in range(min(self._site.room, len(self._ahead)))]
        missing = self._not_stored(some) if some else []
        claimed = self._claim(missing)
        self._given |= claimed
        self._elsewhere.extend(planned for planned in missing if planned not in claimed)
        for planned in missing:
            if planned in claimed:
                self._on_event(Started(planned, self._progress()))
                self._site.give(planned)

    def _not_stored(self, some: Sequence[PlannedRun]) -> list[PlannedRun]:
        """Those that nobody has stored meanwhile; the others are reused."""
        keys = {planned: self._keys[planned] for planned in some}
        stored = _stored(keys, self._store) - self._anew
        found = self._store.get_all(stored)
        reused = {planned: found[key] for planned, key in keys.items() if key in found}
        for planned, record in reused.items():
            self._keep(planned, record)
        if reused:
            self._predict()
        self._tell_of(reused, Reused)
        return [planned for planned in some if planned not in reused]

    def _claim(self, missing: Sequence[PlannedRun]) -> set[PlannedRun]:
        """Those that are now ours to make."""
        claimed: set[str] = set()
        for anew in (False, True):
            keys = [
                self._keys[p] for p in missing if (p.examine or self._keys[p] in self._anew) == anew
            ]
            claimed |= self._store.claim_all(keys, replace=anew) if keys else set()
        return {planned for planned in missing if self._keys[planned] in claimed}

    def _attend(self) -> None:
        """Keep what the site has made by now, and tell of the rest."""
        made: list[Made] = []

        def hear(news: News) -> None:
            match news:
                case Made():
                    made.append(news)
                case EpochMade(run=run, number=number, epoch=epoch):
                    self._shares[run] = min(1.0, number / run.setting.training.epochs)
                    self._on_event(EpochDone(run, number, epoch, self._progress()))
                case Lost():
                    self._make_again(news)

        try:
            self._site.attend(hear)
        finally:  # whatever ended it, these are made
            self._store_all(made)

    def _make_again(self, lost: Lost) -> None:
        self._losses[lost.run] += 1
        losses = self._losses[lost.run]
        if losses == MOST_LOSSES:
            raise SiteError(
                f"run {self._keys[lost.run][:12]} was lost {losses} times, the last time since "
                f"{lost.why}; what is finished is stored, and the same command goes on."
            )
        self._shares.pop(lost.run, None)
        self._again.append(lost.run)
        self._on_event(Restarted(lost.run, lost.why, losses, self._progress()))

    def _store_all(self, made: Sequence[Made]) -> None:
        if not made:
            return
        for one in made:
            if one.record.key != self._keys[one.run]:
                raise SiteError(
                    f"run {self._keys[one.run][:12]} was made as {one.record.key[:12]}: another "
                    "siffra, engine or data set is where it was made; install the same there."
                )
        stayed: set[str] = set()
        for replaced in (False, True):
            finished = [
                (one.record, one.examination)
                for one in made
                if (one.record.key in self._anew) == replaced
            ]
            stayed |= self._store.add_all(finished, replace=replaced) if finished else set()
        for one in made:
            self._costs.learn(one.record)
            # Not the new one, where the run was made again for its examination.
            kept = self._store.get(one.record.key) if one.record.key in stayed else None
            self._keep(one.run, kept or one.record)
            self._given.remove(one.run)
            self._shares.pop(one.run, None)
        self._predict()
        self._tell_of({one.run: self._records[one.run] for one in made}, Finished)

    def _tell_of(
        self, kept: Mapping[PlannedRun, Record], event: type[Finished] | type[Reused]
    ) -> None:
        """Tell of runs that have just been kept, one after the other."""
        before = self._before + len(self._records) - len(kept)
        for number, (planned, record) in enumerate(kept.items(), start=1):
            self._on_event(event(planned, record, self._progress(done=before + number)))

    def _keep(self, planned: PlannedRun, record: Record) -> None:
        self._records[planned] = record
        self._left[planned.setting] -= 1

    def _predict(self) -> None:
        left = self._left.items()
        self._seconds_left = sum(n * self._costs.seconds(setting) for setting, n in left if n)

    def _progress(self, done: int | None = None) -> Progress:
        """Where the lab stands, with what is behind the runs at work."""
        shares = self._shares.items()
        behind = sum(share * self._costs.seconds(planned.setting) for planned, share in shares)
        left = len(self._keys) - len(self._records)
        return Progress(
            done=self._before + len(self._records) if done is None else done,
            total=self._before + len(self._keys),
            seconds_left=_shared_out(max(0.0, self._seconds_left - behind), left, self._site),
            at_once=min(len(self._given), self._site.size),
        )
