"""What an engine needs of the whole process while it computes, and how it gives that back.

A process has one number of threads for BLAS and one of each global generator, whichever of its
threads asks. An engine that sets them and restores them as if it were alone changes the bits of
another that computes at the same time, and may leave its own settings behind for good.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import scipy  # which imports `scipy.linalg` on first use
from threadpoolctl import LibController, ThreadpoolController

_Counts = list[tuple[LibController, int | None]]
"""How many threads each of some libraries has."""


@dataclass(slots=True)
class _Hold:
    """BLAS held to `threads`; `before` is what to restore, `holders` who is in, how often."""

    threads: int
    before: _Counts
    holders: Counter[int] = field(default_factory=Counter)


class BlasThreads:
    """How many threads BLAS has, for all that compute in this process.

    Inside an engine's own threads BLAS must have one, or they wait on each other. Those who ask
    for the same number go together, those who ask for another wait, and the last to leave restores
    what the first found.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holds: list[_Hold] = []  # each within the one before it

    @contextmanager
    def held(self, threads: int) -> Iterator[None]:
        """BLAS on this many threads; waits while another thread holds it to another number."""
        me = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._is_open(threads, me))
            if not self._holds or self._holds[-1].threads != threads:
                self._holds.append(_Hold(threads, _set_threads(_of_the_process(), threads)))
            hold = self._holds[-1]
            hold.holders[me] += 1
        before = _set_threads(_of_each_thread(), threads)
        try:
            yield
        finally:
            _restore(before)
            with self._changed:
                hold.holders[me] -= 1
                self._close()

    def forget_others(self) -> None:
        """After a fork: of those who were in, only the calling thread lives on in this process."""
        me = threading.get_ident()
        self._changed = threading.Condition()
        with self._changed:
            for hold in self._holds:
                hold.holders = Counter({me: hold.holders[me]})
            self._close()

    def _is_open(self, threads: int, me: int) -> bool:
        if not self._holds or self._holds[-1].threads == threads:
            return True
        # Whoever is alone in there may ask for another number: an estimator that trains a network.
        return not any((+hold.holders).keys() - {me} for hold in self._holds)

    def _close(self) -> None:
        while self._holds and not +self._holds[-1].holders:
            _restore(self._holds.pop().before)
        self._changed.notify_all()


@cache
def _libraries() -> list[LibController]:
    scipy.linalg  # noqa: B018  Numba's products are SciPy's BLAS: load it, to hold it
    return ThreadpoolController().select(user_api="blas").lib_controllers


def _of_each_thread() -> list[LibController]:
    """Those that have a number of threads for each thread that calls them."""
    return [each for each in _libraries() if getattr(each, "threading_layer", "") == "openmp"]


def _of_the_process() -> list[LibController]:
    of_each_thread = _of_each_thread()
    return [library for library in _libraries() if library not in of_each_thread]


def _set_threads(libraries: list[LibController], threads: int) -> _Counts:
    """Give each of them this many threads; returns how many it had."""
    before: _Counts = [(library, library.get_num_threads()) for library in libraries]
    _restore([(library, threads) for library in libraries])
    return before


def _restore(counts: _Counts) -> None:
    for library, threads in counts:
        # Since 3.8, threadpoolctl sets nothing, without a word, while any other thread that is
        # alive was the last to. Whose turn it is we know better.
        release = getattr(library, "clear_controlling_thread", None)
        if release:
            release(force=True)
        library.set_num_threads(threads)
        if release:
            release(force=True)


class Turns:
    """One thread at a time, as often as it likes: for what a process has but one of."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait until nobody else is in."""
        with self._lock:
            yield

    def forget_others(self) -> None:
        """After a fork: nobody else lives on in this process."""
        self._lock = threading.RLock()


_blas, _turns = BlasThreads(), Turns()
hold_blas = _blas.held
"""`with hold_blas(threads)`: BLAS on this many threads, in all of this process."""
alone = _turns.taken
"""`with alone()`: no other thread of this process is in, as with its one global generator."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_blas.forget_others)
    os.register_at_fork(after_in_child=_turns.forget_others)
