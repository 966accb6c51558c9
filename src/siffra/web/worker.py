"""The process that trains: does the tasks that the server sends, one at a time.

It ends at once when the server is gone, however that ended: every finished run is stored by
then, and its claim on the one at work is void as soon as it is dead.

`python -m siffra.web.worker STORE [THREADS]`
"""

import logging
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from siffra.api import RunOptions, job_on, make_engine
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource, load_dataset
from siffra.engine.base import Engine
from siffra.errors import DataError, SiffraError
from siffra.lab.execute.events import Event, Progress
from siffra.lab.execute.results import EngineKeys
from siffra.lab.history import LabHistory, make_saved_lab
from siffra.lab.plan.plan import PlannedRun
from siffra.store.store import Store, open_store
from siffra.system.terminal import log_to_stderr
from siffra.training.diagnostics import examine
from siffra.training.model_file import save_model
from siffra.training.run import Epoch, Record, run, run_key
from siffra.web.errors import ApiError, code_of_error
from siffra.web.paths import Paths
from siffra.web.protocol import Command, Message, Task

_REST = 0.1
"""Seconds between messages about epochs, or about runs that are there already, at least."""

log = logging.getLogger("siffra.web.worker")


class Cancelled(Exception):  # noqa: N818  not an error
    """The task in progress is to end."""


class Control:
    """What the server has asked for besides tasks; the training looks at it after each epoch."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._paused = False
        self._cancelled: Task | None = None

    def take(self, command: Command) -> None:
        """Note a command."""
        with self._changed:
            match command.do:
                case "start":
                    self._cancelled = None  # it was for one that had ended by then
                case "pause":
                    self._paused = True
                case "resume":
                    self._paused = False
                case "cancel":
                    self._cancelled = command.task
            self._changed.notify_all()

    def obey(self, task: Task, hold: Callable[[bool], None] = lambda held: None) -> None:
        """Wait while there is a pause, in which `hold` holds the runs of other processes.

        Raises:
            Cancelled: `task` is to end.
        """
        with self._changed:
            if self._paused and self._cancelled != task:
                hold(True)
                self._changed.wait_for(lambda: not self._paused or self._cancelled == task)
                hold(False)
            if self._cancelled == task:
                raise Cancelled


class Worker:
    """Does tasks on one store, and sends their events."""

    def __init__(self, paths: Paths, threads: int | None, control: Control, out: BinaryIO) -> None:
        self._paths, self._threads, self._control, self._out = paths, threads, control, out
        self._engines: dict[str, Engine] = {}
        self._loaded: tuple[DataSource, Dataset] | None = None
        self._file: tuple[int, int] | None = None  # the store's, as the task in progress opened it
        self._epochs: dict[PlannedRun, list[Event]] = {}  # of which the server has not heard
        self._told = 0.0  # when it last heard of any

    def do(self, task: Task) -> None:
        """Do a task to its end."""
        end = Message(task=task)
        self._epochs.clear()
        try:
            with open_store(self._paths.store) as store:
                self._file = _identity(store.path)
                (self._run_lab if task.kind == "lab" else self._save_network)(task, store)
        except Cancelled:
            end = Message(task=task, cancelled=True)
        except ApiError as error:
            end = Message(task=task, error=error.code)
        except DataError as error:
            log.error("%s", error)
            end = Message(task=task, error="data_gone")
        except (SiffraError, OSError) as error:
            log.error("%s", error)
            end = Message(task=task, error=code_of_error(error))
        except MemoryError:
            log.error("memory ran out in %s %s.", task.kind, task.id[:12])
            end = Message(task=task, error="no_memory")
        except Exception as error:
            log.exception("%s %s failed", task.kind, task.id)
            end = Message(task=task, error=code_of_error(error))
        self._send(end)

    def _run_lab(self, task: Task, store: Store) -> None:
        lab = LabHistory(store.path).get(task.id)
        if lab is None:
            raise ApiError("not_found")
        if lab.plan.is_external:  # though the queue's file says so
            raise ApiError("not_started_here")
        dataset, engine = self._dataset(lab.data), self._engine(lab.plan.engine)
        if make_saved_lab(lab.plan, EngineKeys(dataset, engine)).keys != lab.keys:
            raise ApiError("data_gone")
        running = RunOptions(engine=lab.plan.engine, threads=self._threads)

        def on_event(event: Event) -> None:
            self._tell(task, event)
            self._obey(task, job.hold)

        with job_on(store, lab.plan, dataset, lab.data, running) as job:
            job.run(on_event)

    def _save_network(self, task: Task, store: Store) -> None:
        """Make a run once more, for its network, which equal keys say is the same."""
        record = store.get(task.id)
        if record is None:
            raise ApiError("not_found")
        engine = self._engine(record.engine)
        dataset = self._dataset_of(record, engine)
        planned, progress = PlannedRun(record.setting, record.seed), Progress(total=1)

        def on_epoch(number: int, scores: Epoch) -> None:
            self._tell(task, Event("epoch", planned, number, scores, progress=progress))
            self._obey(task)

        self._tell(task, Event("started", planned, progress=progress))
        made, fitted = run(record.setting, dataset, record.seed, engine, on_epoch)
        store.add(made, examine(fitted, dataset))
        path = self._paths.model(task.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_model(path, fitted, made, dataset)

    def _obey(self, task: Task, hold: Callable[[bool], None] = lambda held: None) -> None:
        """Obey the server's commands, and see that the store is still there.

        A file that was deleted or moved can be written to as ever: nobody would find the runs.
        """

        def held(now: bool) -> None:
            self._tell_epochs(task)  # a pause is shown where it is
            hold(now)

        self._control.obey(task, held)
        if _identity(self._paths.store) != self._file:
            log.error(
                "%s: the store was moved or deleted; training is stopped, and what was made since "
                "is lost.",
                self._paths.store,
            )
            raise ApiError("store_gone")

    def _dataset_of(self, record: Record, engine: Engine) -> Dataset:
        """The data that a run was trained on, found by the run's key."""
        labs = [lab.data for lab in LabHistory(self._paths.store).labs() if record.key in lab.keys]
        for source in [*labs, DataSource()]:
            dataset = self._dataset(source).split_for(record.seed)
            if run_key(record.setting, dataset, record.seed, engine) == record.key:
                return dataset
        raise ApiError("data_gone")

    def _dataset(self, source: DataSource) -> Dataset:
        if self._loaded is None or self._loaded[0] != source:
            self._loaded = source, load_dataset(source)
        return self._loaded[1]

    def _engine(self, name: str) -> Engine:
        if name not in self._engines:
            self._engines[name] = make_engine(self._threads, name)
        return self._engines[name]

    def _tell(self, task: Task, event: Event) -> None:
        """Tell the server of an event, of epochs not each by itself.

        A small network has hundreds a second, and of a large lab hundreds of runs may be there
        before: as many messages would take the cores that train.
        """
        if event.kind == "epoch":
            self._epochs.setdefault(event.planned_run, []).append(event)
        if event.kind in ("epoch", "reused") and time.monotonic() - self._told < _REST:
            return
        self._tell_epochs(task)
        if event.kind != "epoch":
            self._send(Message(task=task, event=event))

    def _tell_epochs(self, task: Task) -> None:
        for *before, last in self._epochs.values():
            earlier = tuple(event.scores for event in before if event.scores)
            self._send(Message(task=task, event=last, earlier=earlier))
        self._epochs.clear()
        self._told = time.monotonic()

    def _send(self, message: Message) -> None:
        self._out.write(message.line())
        self._out.flush()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is at `path`; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _listen(commands: BinaryIO, control: Control, tasks: "queue.Queue[Task]") -> None:
    """Hand on the server's commands, until it is gone."""
    for line in commands:
        command = Command.model_validate_json(line)
        control.take(command)
        if command.do == "start" and command.task:
            tasks.put(command.task)
    os._exit(0)


def main() -> None:
    """Work on the store named first in the arguments, on this many threads as the second says."""
    log_to_stderr("siffra ui, training: %(message)s")
    # Only lines for the server may go there; whatever else is printed goes to the terminal.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    store, *threads = sys.argv[1:]
    control, tasks = Control(), queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, control, tasks), daemon=True).start()
    worker = Worker(Paths(Path(store)), int(threads[0]) if threads else None, control, out)
    while True:
        worker.do(tasks.get())


if __name__ == "__main__":
    main()
