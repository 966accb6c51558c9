"""The process that trains: does what the server orders, one task at a time.

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
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from siffra.api import Job, make_engine
from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource, load_dataset
from siffra.engine.base import Engine
from siffra.errors import DataError, SiffraError
from siffra.lab.execute.events import Event
from siffra.lab.history import Shelf, kept_lab
from siffra.store.store import Store, open_store
from siffra.system.terminal import log_to_stderr
from siffra.training.diagnostics import examine
from siffra.training.model_file import save_model
from siffra.training.run import Epoch, Record, run, run_key
from siffra.web.errors import Refusal, code_of_error
from siffra.web.paths import Places
from siffra.web.protocol import Order, Task, Told

_OFTEN = 0.25
"""Seconds between messages about runs that are there already."""

log = logging.getLogger("siffra.web.worker")


class Stopped(Exception):  # noqa: N818  not an error
    """The task at work is to end."""


class Control:
    """What the server has ordered besides tasks; the training looks at it after each epoch."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._paused = False
        self._stop: Task | None = None

    def take(self, order: Order) -> None:
        """Note an order."""
        with self._changed:
            match order.do:
                case "begin":
                    self._stop = None  # it was for one that had ended by then
                case "pause":
                    self._paused = True
                case "resume":
                    self._paused = False
                case "stop":
                    self._stop = order.task
            self._changed.notify_all()

    def obey(self, task: Task) -> None:
        """Wait while there is a pause.

        Raises:
            Stopped: `task` is to end.
        """
        with self._changed:
            self._changed.wait_for(lambda: not self._paused or self._stop == task)
            if self._stop == task:
                raise Stopped


class Worker:
    """Does tasks on one store, and tells how far they have come."""

    def __init__(
        self, places: Places, threads: int | None, control: Control, out: BinaryIO
    ) -> None:
        self._places, self._threads, self._control, self._out = places, threads, control, out
        self._engines: dict[str, Engine] = {}
        self._loaded: tuple[DataSource, Dataset] | None = None
        self._file: tuple[int, int] | None = None  # the store's, as the task at work opened it

    def do(self, task: Task) -> None:
        """Do a task to its end."""
        ended = Told(event="ended", task=task)
        try:
            with open_store(self._places.store) as store:
                self._file = _identity(store.path)
                (self._run_lab if task.kind == "lab" else self._keep_network)(task, store)
        except Stopped:
            ended = Told(event="ended", task=task, stopped=True)
        except Refusal as refusal:
            ended = Told(event="ended", task=task, error=refusal.code)
        except DataError as error:
            log.error("%s", error)
            ended = Told(event="ended", task=task, error="data_gone")
        except (SiffraError, OSError) as error:
            log.error("%s", error)
            ended = Told(event="ended", task=task, error=code_of_error(error))
        except MemoryError:
            log.error("memory ran out in %s %s.", task.kind, task.id[:12])
            ended = Told(event="ended", task=task, error="no_memory")
        except Exception as error:
            log.exception("%s %s failed", task.kind, task.id)
            ended = Told(event="ended", task=task, error=code_of_error(error))
        self._tell(ended)

    def _run_lab(self, task: Task, store: Store) -> None:
        lab = Shelf(store.path).get(task.id)
        if lab is None:
            raise Refusal("not_found")
        dataset, engine = self._dataset(lab.data), self._engine(lab.plan.engine)
        if kept_lab(lab.plan, dataset, engine).keys != lab.keys:
            raise Refusal("data_gone")
        numbers = {(run.setting, run.seed): number for number, run in enumerate(lab.runs)}

        told_at = 0.0

        def show(event: Event) -> None:
            nonlocal told_at
            # Of a large lab, hundreds of runs may be there before.
            if event.kind != "reused" or time.monotonic() - told_at > _OFTEN:
                told_at = time.monotonic()
                self._tell(_told(task, event, numbers))
            self._obey(task)

        Job(lab.plan, dataset, engine, store).run(show)

    def _keep_network(self, task: Task, store: Store) -> None:
        """Make a run once more, for its network, which equal keys say is the same."""
        record = store.get(task.id)
        if record is None:
            raise Refusal("not_found")
        engine = self._engine(record.engine)
        dataset = self._dataset_of(record, engine)

        def show(number: int, epoch: Epoch) -> None:
            told = Told(event="epoch", task=task, run=0, epoch=number, scores=epoch, total=1)
            self._tell(told)
            self._obey(task)

        self._tell(Told(event="started", task=task, run=0, total=1))
        made, fitted = run(record.setting, dataset, record.seed, engine, show)
        store.add(made, examine(fitted, dataset))
        path = self._places.model(task.id)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_model(path, fitted, made, dataset)

    def _obey(self, task: Task) -> None:
        """Do as was ordered, and see that what is made still has where to go.

        A file that was deleted or moved can be written to as ever: nobody would find the runs.
        """
        self._control.obey(task)
        if _identity(self._places.store) != self._file:
            log.error(
                "%s: the store was moved or deleted; training is stopped, and what was made since "
                "is lost.",
                self._places.store,
            )
            raise Refusal("store_gone")

    def _dataset_of(self, record: Record, engine: Engine) -> Dataset:
        """The data that a run was trained on, found by the run's key."""
        labs = [lab.data for lab in Shelf(self._places.store).labs() if record.key in lab.keys]
        for source in [*labs, DataSource()]:
            dataset = self._dataset(source).split_for(record.seed)
            if run_key(record.setting, dataset, record.seed, engine) == record.key:
                return dataset
        raise Refusal("data_gone")

    def _dataset(self, source: DataSource) -> Dataset:
        if self._loaded is None or self._loaded[0] != source:
            self._loaded = source, load_dataset(source)
        return self._loaded[1]

    def _engine(self, name: str) -> Engine:
        if name not in self._engines:
            self._engines[name] = make_engine(self._threads, name)
        return self._engines[name]

    def _tell(self, told: Told) -> None:
        self._out.write(told.line())
        self._out.flush()


def _told(task: Task, event: Event, numbers: Mapping[tuple[Setting, int], int]) -> Told:
    progress = event.progress
    told = Told(
        event="waiting",
        task=task,
        done=progress.done,
        total=progress.total,
        seconds_left=progress.seconds_left,
    )
    if event.run is None:
        return told
    told = told.model_copy(update={"run": numbers[event.run.setting, event.run.seed]})
    match event.kind:
        case "started" | "lost":
            return told.model_copy(update={"event": "started"})
        case "epoch":
            update = {"event": "epoch", "epoch": event.epoch, "scores": event.scores}
            return told.model_copy(update=update)
        case _:
            return told.model_copy(update={"event": "run"})


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is at `path`; None if there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _listen(orders: BinaryIO, control: Control, tasks: "queue.Queue[Task]") -> None:
    """Hand on what the server orders, until it is gone."""
    for line in orders:
        order = Order.model_validate_json(line)
        control.take(order)
        if order.do == "begin" and order.task:
            tasks.put(order.task)
    os._exit(0)


def main() -> None:
    """Work on the store named first in the arguments, on so many threads as the second says."""
    log_to_stderr("siffra ui, training: %(message)s")
    # Only lines for the server may go there; whatever else is printed goes to the terminal.
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    store, *threads = sys.argv[1:]
    control, tasks = Control(), queue.Queue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, control, tasks), daemon=True).start()
    worker = Worker(Places(Path(store)), int(threads[0]) if threads else None, control, out)
    while True:
        worker.do(tasks.get())


if __name__ == "__main__":
    main()
