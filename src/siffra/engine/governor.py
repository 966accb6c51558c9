"""How many threads an engine computes with: found out while it computes, piece by piece.

Threads that share their work wait for each other after every part of it. Where all of them have a
core, that takes a microsecond. Where one core is busy with something else, a container's time is
used up, or two threads share a core's units, they wait for a thread that does not run, and all of
them together are several times slower than one alone. What else a machine does comes and goes, so
it can't be asked beforehand. Instead pieces of the work are timed, and now and then a few are done
with another number of threads.

Results must not depend on the number of threads. Nothing here computes, and time comes from a
clock that tests can make up.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Iterator
from statistics import median
from typing import Protocol

import numba

from siffra.system.jit_threads import turn_at_threads

_GAIN = 1.1
"""Another number of threads must be faster by so much to be taken."""
_URGENT = 1.5
"""Slower by so much than another was when last seen, and that one is tried at once."""
_ODD = 3.0
"""After a piece that is slower by so much than usual, short ones show whether it stays so."""
_HOPELESS = 2.0
"""A trial whose first piece is slower by so much ends with it."""
_RECENT, _TRIED = 5, 2
"""Pieces that say how long one takes now, and those of a trial."""
_SHARE = 0.002
"""Of the time may be lost in trials that come to nothing, not counting what follows from them."""
_LONGEST, _MOST = 0.5, 0.05
"""Seconds after which more threads are tried all the same, unless more than this share is lost."""
_PIECE, _SHORT_PIECE = 4e-3, 5e-4
"""Seconds that a piece should take, and one of a trial."""
_FIRST, _LONG = 8, 128
"""Units of the first piece that counts, and of the longest."""


class Pieces(Protocol):
    """What decides how long the next piece of a loop is, and how many threads it gets."""

    def length(self, images: int) -> int:
        """How many units of this many images each the next piece should have."""
        ...

    def begin(self) -> int:
        """The next piece begins: the number of threads for it."""
        ...

    def end(self, images: int) -> None:
        """It has ended: it was this many images; 0 if they can't be compared with others."""
        ...


def shared_out(pieces: Pieces, images: int, unit: int) -> Iterator[tuple[int, int, int]]:
    """Cut `images` into pieces of whole units; each piece's threads, first image and end.

    The calling thread's kernels run on this many threads when a piece begins.
    """
    first = 0
    while first < images:
        last = min(images, first + pieces.length(unit) * unit)
        threads = pieces.begin()
        numba.set_num_threads(threads)
        with turn_at_threads():
            yield threads, first, last
        pieces.end(last - first if last - first >= unit else 0)
        first = last


class Governor(Protocol):
    """What an engine asks about the threads of all that it does."""

    def work(self) -> Pieces:
        """A kind of work: a training, or predictions of one network."""
        ...


class ThreadGovernor:
    """Chooses between `fewest` and `most` threads for all that an engine computes.

    Each kind of work has its own times. What one kind finds out about the machine is where the
    next begins, so that a training doesn't find out anew what the one before it knew.
    """

    def __init__(
        self, most: int, clock: Callable[[], float] = time.perf_counter, *, fewest: int = 1
    ) -> None:
        self.clock = clock
        self.ladder = tuple(threads for threads in _ladder(most) if threads >= fewest)
        self.rung = 0
        self.moves = 0
        self.next_trial = 0.0

    def work(self) -> "Work":
        """See `Governor`."""
        return Work(self)


class Work:
    """Pieces of one kind of work, on the number of threads that serves it best.

    Numbers of threads that there are to choose from are a ladder, whose rungs are tried in turn,
    and out of turn where there is a reason to. The first piece after a change is not counted:
    threads must wake, and caches fill.
    """

    def __init__(self, governor: ThreadGovernor) -> None:
        self._governor, self._ladder = governor, governor.ladder
        self._rung, self._moves = governor.rung, governor.moves
        self._next_trial = governor.next_trial
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._seen: dict[int, float] = {}
        """Seconds an image took on each rung when it was last used."""
        self._trial: int | None = None
        self._tried: list[float] = []
        self._spent = self._lost = 0.0
        self._turn = self._rung
        """The rung that was last tried for no other reason than that its turn had come."""
        self._is_fresh, self._is_odd = True, False
        self._started = 0.0

    @property
    def threads(self) -> int:
        """How many the next piece gets."""
        return self._ladder[self._rung if self._trial is None else self._trial]

    def length(self, images: int) -> int:
        """See `Pieces`."""
        if len(self._ladder) == 1:
            return _LONG
        if not self._recent:
            return 1 if self._is_fresh else _FIRST
        seconds = _SHORT_PIECE if self._is_odd or self._trial is not None else _PIECE
        return max(1, min(_LONG, int(seconds / (median(self._recent) * images))))

    def begin(self) -> int:
        """See `Pieces`."""
        if len(self._ladder) > 1:
            self._started = self._governor.clock()
        return self.threads

    def end(self, images: int) -> None:
        """See `Pieces`."""
        if len(self._ladder) == 1 or images == 0:
            return
        now = self._governor.clock()
        each, fresh = (now - self._started) / images, self._is_fresh
        self._is_fresh = False
        if self._trial is not None:
            self._judge(each, images, now, fresh)
        elif not fresh:
            self._recent.append(each)
            self._seen[self._rung] = usual = median(self._recent)
            self._is_odd = each > _ODD * usual
            self._trial = self._candidate(usual, now)
            self._is_fresh = self._trial is not None

    def _candidate(self, usual: float, now: float) -> int | None:
        """The rung to try, if any."""
        if self._moves != self._governor.moves:  # another kind of work found another number better
            self._moves = self._governor.moves
            if self._governor.rung != self._rung:
                return self._governor.rung
        fewer = self._rung + 1
        # More threads than others found good wait for their turn instead: they may cost much.
        if fewer < len(self._ladder) and fewer not in self._seen:
            return fewer
        for rung, seen in self._seen.items():
            if rung != self._rung and usual > _URGENT * seen:
                return rung
        if now < self._next_trial:
            return None
        self._turn = (self._turn + 1) % len(self._ladder)
        return self._turn if self._turn != self._rung else None

    def _judge(self, each: float, images: int, now: float, fresh: bool) -> None:
        """Go on with a trial after a piece of it, or end it."""
        assert self._trial is not None
        usual = median(self._recent)
        if self._trial > self._rung:
            # So few threads can't be slower: it was something else, and nobody must believe it.
            fewer = self._ladder[self._rung] / self._ladder[self._trial]
            each = min(each, _HOPELESS * fewer * usual)
        self._spent += each * images
        self._lost += (each - usual) * images
        if fresh and each < _HOPELESS * usual:
            return
        self._tried.append(each)
        if each * _GAIN < usual and len(self._tried) < _TRIED:
            return
        self._seen[self._trial] = max(self._tried)
        if each * _GAIN < usual:
            self._move(self._trial, now)
        else:
            # Where both are about as fast, nothing is lost, and nothing won either.
            lost = max(self._lost, self._spent / 10)
            most = max(_LONGEST, lost / _MOST) if self._trial < self._rung else math.inf
            self._wait(now, min(lost / _SHARE, most))
        self._trial, self._tried, self._is_fresh = None, [], True
        self._spent = self._lost = 0.0

    def _move(self, rung: int, now: float) -> None:
        if rung > self._rung:
            self._wait(now, _LONGEST)
        self._rung = rung
        self._recent = deque(self._tried, maxlen=_RECENT)
        self._governor.rung = rung
        self._governor.moves += 1
        self._moves = self._governor.moves

    def _wait(self, now: float, seconds: float) -> None:
        self._next_trial = self._governor.next_trial = now + seconds


def _ladder(most: int) -> tuple[int, ...]:
    """All threads, all but one (as if one core were busy), and halves down to one."""
    halves = {most >> shift for shift in range(most.bit_length())}
    return tuple(sorted(halves | {max(1, most - 1)}, reverse=True))
