"""The bench: what waits to be trained, what is at work, and who is told of it.

Only the queue is written down, beside the store. Everything else follows from it and from the
runs that are stored: a lab in the queue is queued, one with all its runs is done, any other was
stopped. So the server can be killed at any moment, and goes on where it was.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from siffra.errors import StoreError
from siffra.store.schema import make_private
from siffra.system.atomic_write import write_whole
from siffra.web.errors import Code, Refusal
from siffra.web.paths import Places
from siffra.web.protocol import Order, Task, Told
from siffra.web.queue_file import QUEUE, Queue, read_queue
from siffra.web.worker_process import Crew

log = logging.getLogger("siffra.web")

STREAMS = 32
"""Pages that may listen at a time: far below the connections that there may be."""
_PATIENCE = 3.0
"""Seconds that a task has to stop by itself, at the end of its epoch."""
_BACKLOG = 1000
"""Events that a page may be behind; then it is told to look at everything anew."""

State = Literal["queued", "running", "paused", "done", "stopped", "failed"]


@dataclass(slots=True)
class AtWork:
    """The first task, while the worker is at it. `epochs` are those of the `run` at work."""

    task: Task
    told: Told
    run: int | None = None
    epochs: list[dict[str, Any]] = field(default_factory=list)
    stopping: bool = False


Kind = Literal["bench", "epoch", "task", "end"]
Event = tuple[Kind, Told | None]
"""`bench`: queue, pause or run have changed; `task`: one has got a run, or has ended; `end`: the
server ends, and nothing more will happen."""


class Bench:
    """The queue and the worker. All methods are called in the server's one event loop."""

    def __init__(self, places: Places, threads: int | None = None) -> None:
        self._places = places
        self._crew = Crew(places.store, threads, self._hear, self._lost)
        self._queue = Queue()
        self._listeners: set[asyncio.Queue[Event]] = set()
        self._pending: set[asyncio.Task[None]] = set()
        self.at_work: AtWork | None = None

    @property
    def paused(self) -> bool:
        """Whether training holds."""
        return self._queue.paused

    @property
    def tasks(self) -> Sequence[Task]:
        """What waits, in its order, what is at work first."""
        return tuple(self._queue.tasks)

    def open(self) -> None:
        """Go on where the last server was."""
        self._queue = read_queue(self._places.queue)
        self._advance()

    async def close(self) -> None:
        """End the worker; the queue stays as it is."""
        for pending in self._pending:
            pending.cancel()
        await self._crew.end()

    def state(self, task: Task, *, complete: bool) -> State:
        """How a task stands; `complete` says whether all that it makes is there."""
        if task in self._queue.tasks:
            if self._queue.paused:
                return "paused"
            return "running" if self.at_work and self.at_work.task == task else "queued"
        if complete:
            return "done"
        return "failed" if task.id in self._queue.failed else "stopped"

    def error(self, task: Task) -> Code | None:
        """Why a task failed, if it did."""
        return self._queue.failed.get(task.id)

    def add(self, task: Task) -> None:
        """Put a task at the queue's end; one that waits already stays where it is.

        Raises:
            Refusal: The queue is full.
        """
        if task in self._queue.tasks:
            return
        if len(self._queue.tasks) >= QUEUE:
            raise Refusal("queue_full")
        self._queue.failed.pop(task.id, None)
        self._queue.tasks.append(task)
        self._changed()
        self._announce("task", Told(event="waiting", task=task))

    def remove(self, task: Task) -> None:
        """Take a task out of the queue, and stop it if it is at work."""
        if task not in self._queue.tasks:
            return
        self._queue.tasks.remove(task)
        if self.at_work and self.at_work.task == task:
            self.at_work.stopping = True
            self._soon(self._stop(self.at_work))
        self._changed()
        self._announce("task", Told(event="ended", task=task, stopped=True))

    def pause(self, paused: bool) -> None:
        """Hold all training at the end of its epoch, or go on with it."""
        if paused != self._queue.paused:
            self._queue.paused = paused
            self._soon(self._crew.order(Order(do="pause" if paused else "resume")))
            self._changed()

    @property
    def is_full(self) -> bool:
        """Whether as many listen as may."""
        return len(self._listeners) >= STREAMS

    def listen(self) -> asyncio.Queue[Event]:
        """A queue that all further events are put into; it begins with one."""
        events: asyncio.Queue[Event] = asyncio.Queue(_BACKLOG)
        events.put_nowait(("bench", None))
        self._listeners.add(events)
        return events

    def say_goodbye(self) -> None:
        """Tell all who listen that nothing more will happen."""
        self._announce("end", None)

    def leave(self, events: asyncio.Queue[Event]) -> None:
        """Put no more events into this queue."""
        self._listeners.discard(events)

    def _hear(self, told: Told) -> None:
        at_work = self.at_work
        if at_work is None or told.task != at_work.task:
            return
        if told.event == "ended":
            self._end(told)
            return
        if told.event == "epoch" and told.scores:
            at_work.epochs.append(told.scores.model_dump())
        elif told.event == "started":
            at_work.run, at_work.epochs = told.run, []
        else:
            at_work.run = None
        at_work.told = told
        if not at_work.stopping:
            kinds: dict[str, Kind] = {"epoch": "epoch", "run": "task"}
            self._announce(kinds.get(told.event, "bench"), told)

    def _end(self, told: Told) -> None:
        self.at_work = None
        # One that was stopped may have been put into the queue anew.
        if told.task in self._queue.tasks and not told.stopped:
            self._queue.tasks.remove(told.task)
            if told.error:
                self._queue.failed[told.task.id] = told.error
        self._changed()
        self._announce("task", told)

    def _lost(self) -> None:
        """The worker died: out of memory, say. Its task would kill the next one too."""
        if self.at_work:
            stopped = self.at_work.stopping
            error = None if stopped else "worker_lost"
            self._end(Told(event="ended", task=self.at_work.task, stopped=stopped, error=error))

    def _advance(self) -> None:
        if self.at_work or self._queue.paused or not self._queue.tasks:
            return
        task = self._queue.tasks[0]
        self.at_work = AtWork(task, Told(event="waiting", task=task))
        self._soon(self._begin(task))

    async def _begin(self, task: Task) -> None:
        # A pause may have been ordered before the worker was there to hear of it.
        try:
            await self._crew.order(Order(do="begin", task=task))
            await self._crew.order(Order(do="pause" if self._queue.paused else "resume"))
        except OSError as error:
            log.error("the training process cannot be started: %s.", error.strerror or error)
            self._lost()

    async def _stop(self, at_work: AtWork) -> None:
        await self._crew.order(Order(do="stop", task=at_work.task))
        await asyncio.sleep(_PATIENCE)
        if self.at_work is at_work:
            await self._crew.end()
            self._lost()

    def _changed(self) -> None:
        try:
            told = self._queue.model_dump_json().encode()
            make_private(self._places.folder)  # it may have been deleted since
            write_whole(self._places.queue, told, StoreError)
        except (StoreError, OSError) as error:
            # The disk is full, say: what is at work goes on all the same.
            log.error("%s", error)
        self._advance()
        self._announce("bench", None)

    def _announce(self, kind: Kind, told: Told | None) -> None:
        for events in self._listeners:
            if events.full():
                while not events.empty():
                    events.get_nowait()
                events.put_nowait(("bench", None))
            events.put_nowait((kind, told))

    def _soon(self, work: Coroutine[Any, Any, None]) -> None:
        pending = asyncio.create_task(work)
        self._pending.add(pending)
        pending.add_done_callback(self._pending.discard)
