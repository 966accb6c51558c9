"""The job queue: the tasks that wait, the one in progress, and who hears of its events.

Only the queue is written down, beside the store. Everything else follows from it and from the
stored runs: a lab in the queue is queued, one with all its runs is done, any other was stopped.
So the server can be killed at any moment, and goes on where it was.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Literal

from siffra.errors import StoreError
from siffra.lab.execute.events import Event, Progress
from siffra.lab.plan.plan import PlannedRun
from siffra.store.schema import make_private
from siffra.system.atomic_write import write_whole
from siffra.training.run import Epoch
from siffra.web.errors import ApiError, Code
from siffra.web.paths import Paths
from siffra.web.protocol import Command, Message, Task
from siffra.web.queue_file import QUEUE, Queue, read_queue
from siffra.web.worker_process import WorkerProcess

log = logging.getLogger("siffra.web")

STREAMS = 32
"""Pages that may listen at a time: far below the connections that there may be."""
_PATIENCE = 3.0
"""Seconds that a cancelled task has to end by itself, after its epoch."""
_BACKLOG = 1000
"""Updates that a page may be behind; then it has to read everything anew."""

TaskState = Literal["queued", "running", "paused", "done", "stopped", "failed"]
Update = Message | Literal["queue", "end"]
"""What listeners hear: a task's message; that queue, pause or run have changed; or that the server
ends, and nothing more will happen."""


@dataclass(slots=True)
class Running:
    """The first task, while the worker runs it. `runs` has the epochs of those in progress."""

    task: Task
    progress: Progress = field(default_factory=Progress)
    runs: dict[PlannedRun, list[Epoch]] = field(default_factory=dict)
    cancelling: bool = False


class JobQueue:
    """The queue and the worker. All methods are called in the server's one event loop."""

    def __init__(self, paths: Paths, threads: int | None = None) -> None:
        self._paths = paths
        self._worker = WorkerProcess(paths.store, threads, self._receive, self._worker_lost)
        self._queue = Queue()
        self._listeners: set[asyncio.Queue[Update]] = set()
        self._pending: set[asyncio.Task[None]] = set()
        self.running: Running | None = None

    @property
    def paused(self) -> bool:
        """Whether training is paused."""
        return self._queue.paused

    @property
    def tasks(self) -> Sequence[Task]:
        """The tasks in their order, the one in progress first."""
        return tuple(self._queue.tasks)

    def open(self) -> None:
        """Go on where the last server was."""
        self._queue = read_queue(self._paths.queue)
        self._advance()

    async def close(self) -> None:
        """End the worker; the queue stays as it is."""
        for pending in self._pending:
            pending.cancel()
        await self._worker.end()

    def state(self, task: Task, *, complete: bool) -> TaskState:
        """The state of a task; `complete` says whether all its results are stored."""
        if task in self._queue.tasks:
            if self._queue.paused:
                return "paused"
            return "running" if self.running and self.running.task == task else "queued"
        if complete:
            return "done"
        return "failed" if task.id in self._queue.failed else "stopped"

    def error(self, task: Task) -> Code | None:
        """Why a task failed, if it did."""
        return self._queue.failed.get(task.id)

    def add(self, task: Task) -> None:
        """Put a task at the queue's end; one that is in the queue stays where it is.

        Raises:
            ApiError: The queue is full.
        """
        if task in self._queue.tasks:
            return
        if len(self._queue.tasks) >= QUEUE:
            raise ApiError("queue_full")
        self._queue.failed.pop(task.id, None)
        self._queue.tasks.append(task)
        self._changed()
        self._publish(Message(task=task, event=Event("waiting")))

    def cancel(self, task: Task) -> None:
        """Take a task out of the queue, and end it if it is in progress."""
        if task not in self._queue.tasks:
            return
        self._queue.tasks.remove(task)
        if self.running and self.running.task == task:
            self.running.cancelling = True
            self._soon(self._cancel(self.running))
        self._changed()
        self._publish(Message(task=task, cancelled=True))

    def pause(self, paused: bool) -> None:
        """Pause all training after the epoch in progress, or resume it."""
        if paused != self._queue.paused:
            self._queue.paused = paused
            self._soon(self._worker.send(Command(do="pause" if paused else "resume")))
            self._changed()

    @property
    def is_full(self) -> bool:
        """Whether as many listen as may."""
        return len(self._listeners) >= STREAMS

    def listen(self) -> asyncio.Queue[Update]:
        """A queue that gets all further updates; it begins with one."""
        updates: asyncio.Queue[Update] = asyncio.Queue(_BACKLOG)
        updates.put_nowait("queue")
        self._listeners.add(updates)
        return updates

    def end_streams(self) -> None:
        """Tell all listeners that nothing more will happen."""
        self._publish("end")

    def leave(self, updates: asyncio.Queue[Update]) -> None:
        """Put no more updates into this queue."""
        self._listeners.discard(updates)

    def _receive(self, message: Message) -> None:
        running, event = self.running, message.event
        if running is None or message.task != running.task:
            return
        if event is None:
            self._end(message)
            return
        if event.kind == "epoch" and event.scores:
            epochs = running.runs.setdefault(event.planned_run, [])
            epochs.extend((*message.earlier, event.scores))
        elif event.kind in ("started", "lost") and not event.planned_timing:
            running.runs[event.planned_run] = []
        elif event.kind == "finished":
            running.runs.pop(event.planned_run, None)
        running.progress = event.progress
        if not running.cancelling:
            is_update = event.kind in ("epoch", "finished", "reused")
            self._publish(message if is_update else "queue")

    def _end(self, message: Message) -> None:
        self.running = None
        # One that was cancelled may have been put into the queue anew.
        if message.task in self._queue.tasks and not message.cancelled:
            self._queue.tasks.remove(message.task)
            if message.error:
                self._queue.failed[message.task.id] = message.error
        self._changed()
        self._publish(message)

    def _worker_lost(self) -> None:
        """The worker died: out of memory, say. Its task would kill the next one too."""
        if self.running:
            cancelled = self.running.cancelling
            error = None if cancelled else "worker_lost"
            self._end(Message(task=self.running.task, cancelled=cancelled, error=error))

    def _advance(self) -> None:
        if self.running or self._queue.paused or not self._queue.tasks:
            return
        self.running = Running(self._queue.tasks[0])
        self._soon(self._start(self.running.task))

    async def _start(self, task: Task) -> None:
        # A pause may have been sent before the worker was there to hear of it.
        try:
            await self._worker.send(Command(do="start", task=task))
            await self._worker.send(Command(do="pause" if self._queue.paused else "resume"))
        except OSError as error:
            log.error("the training process cannot be started: %s.", error.strerror or error)
            self._worker_lost()

    async def _cancel(self, running: Running) -> None:
        await self._worker.send(Command(do="cancel", task=running.task))
        await asyncio.sleep(_PATIENCE)
        if self.running is running:
            await self._worker.end()
            self._worker_lost()

    def _changed(self) -> None:
        try:
            content = self._queue.model_dump_json().encode()
            make_private(self._paths.folder)  # it may have been deleted since
            write_whole(self._paths.queue, content, StoreError)
        except (StoreError, OSError) as error:
            # The disk is full, say: the task in progress goes on all the same.
            log.error("%s", error)
        self._advance()
        self._publish("queue")

    def _publish(self, update: Update) -> None:
        for updates in self._listeners:
            if updates.full():
                while not updates.empty():
                    updates.get_nowait()
                updates.put_nowait("queue")
            updates.put_nowait(update)

    def _soon(self, work: Coroutine[object, object, None]) -> None:
        pending = asyncio.create_task(work)
        self._pending.add(pending)
        pending.add_done_callback(self._pending.discard)
