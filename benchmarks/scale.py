"""What a lab costs the process that runs it, and what a million runs on a thousand nodes would.

`python -m benchmarks.scale` measures and prints; `--write` puts it into `docs/scale.md`. Nothing
else should run meanwhile. Ray (`siffra[ray]`) is started here, on this machine alone.
"""

import argparse
import gc
import heapq
import random
import resource
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import ray

from siffra.api import make_engine
from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource, load_dataset
from siffra.engine.base import Engine
from siffra.lab.execute.base import Executor
from siffra.lab.execute.events import Event, Job, Task
from siffra.lab.execute.ray import RayExecutor, Resources, engine_runs
from siffra.lab.execute.results import EngineKeys
from siffra.lab.execute.runner import run_plan
from siffra.lab.execute.trainer import Reply, RunTrainer
from siffra.lab.plan.plan import Level, Plan, PlannedRun, Question
from siffra.store.store import open_store
from siffra.training.diagnostics import examine
from siffra.training.examination import Examination
from siffra.training.run import Record, WrittenRecord, run, this_machine

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
BEGIN, END = "<!-- measured: python -m benchmarks.scale --write -->", "<!-- end -->"
EPOCHS = 20
SETTINGS = 50
RUNS = 1_000_000
NODES, CPUS = 1_000, 16
LENGTHS = (3, 10, 30, 100, 300)
"""Seconds of a run, in the simulation."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A record of a real network, as long as one of `EPOCHS` epochs, with its examination."""

    dataset: Dataset
    engine: Engine
    record: Record
    examination: Examination


@dataclass(frozen=True, slots=True)
class Running:
    """Processor seconds and bytes that a run costs the runner, and then the reading of it."""

    seconds: float
    reading: float
    memory: float
    memory_read: float


@dataclass(frozen=True, slots=True)
class Measured:
    """By the machine that runs the lab: records a second, processor seconds a run."""

    record_bytes: int
    one_by_one: float
    together: float
    with_examinations: float
    keys: float
    few: Running
    many: Running
    tasks: float


def take_sample() -> Sample:
    """Train the study's base network once; its last epoch stands for the others."""
    dataset, engine = load_dataset(), make_engine(1)
    setting = Setting.from_knobs({"epochs": 1})
    record, fitted = run(setting, dataset, 0, engine)
    draws = random.Random(0)

    def like(last: Any) -> Any:
        accuracy = {name: value * draws.random() for name, value in last.accuracy.items()}
        changed = {"accuracy": accuracy, "seconds": last.seconds * draws.random()}
        return last.model_copy(update=changed | {"loss": draws.random()})

    epochs = tuple(like(record.epochs[0]) for _ in range(EPOCHS))
    return Sample(
        dataset, engine, record.model_copy(update={"epochs": epochs}), examine(fitted, dataset)
    )


def stored_a_second(sample: Sample, count: int, at_once: int, examined: bool) -> float:
    """How many records a second the store takes, so many in one transaction."""
    examination = sample.examination if examined else None
    records = [sample.record.model_copy(update={"key": f"{n:064x}"}) for n in range(count)]
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "runs") as store:
        started = time.perf_counter()
        for first in range(0, count, at_once):
            store.add_all([(r, examination) for r in records[first : first + at_once]])
        return count / (time.perf_counter() - started)


class InstantExecutor(Executor):
    """Has every run made at once: a stand-in for a cluster."""

    def __init__(self, sample: Sample, keys: dict[PlannedRun, str], size: int) -> None:
        self._text, self._key = sample.record.model_dump_json(), sample.record.key
        self._keys, self._size = keys, size
        self._submitted: deque[PlannedRun] = deque()
        self.seconds = 0.0  # processor time of what workers would do
        self.most_bytes = 0

    @property
    def size(self) -> int:
        """See `Executor.size`."""
        return self._size

    @property
    def jobs(self) -> int:
        """See `Executor.jobs`."""
        return 1

    @property
    def capacity(self) -> int:
        """See `Executor.capacity`."""
        return 2 * self._size - len(self._submitted)

    def submit(self, run: Job | Task) -> None:
        """See `Executor.submit`."""
        assert isinstance(run, PlannedRun)
        self._submitted.append(run)

    def poll(self, on_event: Callable[[Event], None]) -> None:
        """Report a hundred runs as finished."""
        started = time.process_time()
        finished = [self._submitted.popleft() for _ in range(min(100, len(self._submitted)))]
        replies = [_reply(self._text, self._key, self._keys[planned]) for planned in finished]
        self.most_bytes = max(self.most_bytes, _memory())
        self.seconds += time.process_time() - started
        for planned, reply in zip(finished, replies, strict=True):
            on_event(reply.event(planned))


def _reply(text: str, key: str, wanted: str) -> Reply:
    return Reply(WrittenRecord(wanted, 10.0, text.replace(key, wanted)))


def plan_of(runs: int) -> Plan:
    """A plan of so many runs, of `SETTINGS` settings."""
    settings = [
        Setting.from_knobs({"learning_rate": 0.01 * (1 + n // 10), "neurons": 8 * (1 + n % 10)})
        for n in range(SETTINGS)
    ]
    levels = tuple(Level({}, (setting,), {}) for setting in settings)
    question = Question("a", {}, {}, (), (), {}, levels, (), ())
    return Plan({}, "", "", "", None, tuple(range(runs // SETTINGS)), (question,), ())


def running(sample: Sample, runs: int, size: int) -> Running:
    """What a run costs the runner, with so many made at once."""
    plan = plan_of(runs)
    of = EngineKeys(sample.dataset, sample.engine).of
    executor = InstantExecutor(sample, {run: of(run) for run in plan.runs}, size)
    done = 0.0
    gc.collect()
    before = _memory()

    def note(event: Event) -> None:
        nonlocal done
        done = time.process_time()

    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder) / "runs") as store:
        started = time.process_time()
        kept = run_plan(plan, sample.dataset, sample.engine, store, note, executor=executor).records
        read = time.process_time() - done
        gc.collect()
        return Running(
            seconds=(done - started - executor.seconds) / len(kept),
            reading=read / len(kept),
            memory=(executor.most_bytes - before) / len(kept),
            memory_read=(_memory() - before) / len(kept),
        )


def _memory() -> int:
    """The bytes that this process uses, as Linux has them."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


def by_tasks(sample: Sample, runs: int) -> float:
    """Processor seconds that a run on a cluster costs its driver, of all its threads."""
    plan = plan_of(runs)
    runs_there = partial(engine_runs, sample.dataset, DataSource(), sample.engine.name, make_engine)
    timer = RunTrainer(sample.dataset, sample.engine)
    with RayExecutor(runs_there, resources=Resources(), timer=timer) as cluster:
        cluster._task = ray.remote(max_retries=0)(_instantly)  # pyright: ignore[reportAttributeAccessIssue]
        order: Any = ray.put((sample.record.model_dump_json(), sample.record.key))
        cluster._context = order

        def measured(store: Path, some: Plan) -> float:
            with open_store(store) as opened:
                started = time.process_time()
                run_plan(some, sample.dataset, sample.engine, opened, executor=cluster)
                return (time.process_time() - started) / len(some.runs)

        with tempfile.TemporaryDirectory() as folder:
            measured(Path(folder) / "first", plan_of(SETTINGS))  # the workers start
            return measured(Path(folder) / "runs", plan)


def _instantly(order: tuple[str, str], *others: Any) -> tuple[list[Reply], float]:
    """A task that answers as one that made the runs would, in a millisecond each."""
    from benchmarks.scale import key_of  # of the worker's own module, not of a copy of `__main__`

    *_, runs, _ = others
    return [_reply(*order, key_of(planned)) for planned in runs], 0.001 * len(runs)


_known: list[Any] = []


def key_of(planned: PlannedRun) -> str:
    """The key of a run, worked out where the task is."""
    from siffra.training.run import run_key

    if not _known:
        _known.extend([load_dataset(), make_engine(1)])
    return run_key(planned.setting, _known[0], planned.seed, _known[1])


@dataclass(frozen=True, slots=True)
class Simulated:
    """A lab on a large cluster: hours, and the share of its CPUs that were at work."""

    seconds_a_run: float
    hours: float
    busy: float


def simulate(driver: float, seconds: float, *, runs: int, slots: int) -> Simulated:
    """Make `runs` of about so many `seconds` on so many `slots`, each fed by one driver.

    The driver needs `driver` seconds for each run, hands out twice as many as there are slots, and
    sees to them in the order in which they end. Lengths are drawn, with a spread of a third.
    """
    draws = random.Random(0)
    length = [seconds * draws.lognormvariate(-0.05, 0.32) for _ in range(1000)]
    free = 0.0  # when the driver is
    ends: list[float] = []  # when each slot's present run ends
    queued = min(slots, runs)
    for n in range(min(slots, runs)):
        free += driver / 2  # half of a run's cost is to hand it out
        heapq.heappush(ends, free + length[n % 1000])
    given = min(2 * slots, runs)
    free += driver / 2 * (given - queued)
    waiting = given - queued
    ready: list[float] = []  # when each run that was handed out later reaches the cluster
    for n in range(queued, runs):
        ended = heapq.heappop(ends)
        free = max(free, ended) + driver
        if waiting:
            waiting -= 1
            begins = ended
        else:
            begins = max(ended, heapq.heappop(ready))
        heapq.heappush(ready, free)
        heapq.heappush(ends, begins + length[n % 1000])
    for ended in sorted(ends):
        free = max(free, ended) + driver / 2
    last = max(free, max(ends))
    work = sum(length) / 1000 * runs
    return Simulated(seconds, last / 3600, work / (last * slots))


def measure(runs: int) -> Measured:
    """All that the page tells."""
    sample = take_sample()
    few = plan_of(runs)
    started = time.perf_counter()
    list(map(EngineKeys(sample.dataset, sample.engine).of, few.runs))
    keys = (time.perf_counter() - started) / runs
    return Measured(
        record_bytes=len(sample.record.model_dump_json()),
        one_by_one=stored_a_second(sample, runs // 4, 1, examined=False),
        together=stored_a_second(sample, runs, 100, examined=False),
        with_examinations=stored_a_second(sample, runs, 100, examined=True),
        keys=keys,
        few=running(sample, runs, 64),
        many=running(sample, runs, NODES * CPUS),
        tasks=by_tasks(sample, runs),
    )


def page(measured: Measured, simulated: Sequence[Simulated]) -> str:
    """The measured part of the page."""
    machine = this_machine(1)
    few = measured.few
    rows = [
        ("size of a record with 20 epochs", f"{measured.record_bytes / 1000:.1f} kB"),
        ("records stored, one per transaction", f"{measured.one_by_one:,.0f}/s"),
        ("records stored, a hundred per transaction", f"{measured.together:,.0f}/s"),
        ("records stored, with diagnostics", f"{measured.with_examinations:,.0f}/s"),
        ("computing a run's key", f"{1000 * measured.keys:.2f} ms"),
        (
            "driver, 64 parallel runs, without a cluster",
            f"{1000 * measured.few.seconds:.2f} ms per run",
        ),
        (
            "driver, 16,000 parallel runs, without a cluster",
            f"{1000 * measured.many.seconds:.2f} ms per run",
        ),
        ("driver with Ray", f"{1000 * measured.tasks:.2f} ms per run"),
        ("memory of the driver, while it runs", f"{few.memory / 1000:.1f} kB per run"),
        (
            "at the end, reading the records for the answers",
            f"{1000 * few.reading:.2f} ms and {few.memory_read / 1000:.0f} kB per run",
        ),
    ]
    lines = [f"On {machine.cpu}, {machine.cores} cores:", "", "| what | measured |", "|---|---|"]
    lines += [f"| {what} | {value} |" for what, value in rows]
    fewest = NODES * CPUS * measured.tasks
    simulation = (
        f"Simulated: {RUNS:,} runs on {NODES:,} nodes of {CPUS} CPUs, one run per CPU, with a "
        f"driver that takes {1000 * measured.tasks:.2f} ms per run:"
    )
    end = (
        f"The first bottleneck is the driver: it keeps {NODES * CPUS:,} CPUs busy if a run "
        f"takes {fewest:.1f} seconds or more. It would need {RUNS * few.memory / 1e9:.1f} GB of "
        f"memory, {RUNS * few.memory_read / 1e9:.0f} GB for the answers at the end, and the store "
        f"{RUNS * measured.record_bytes / 1e9:.0f} GB of disk."
    )
    lines += ["", simulation, ""]
    lines += [
        "| seconds per run | total hours | node-hours | CPU utilization |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {s.seconds_a_run:g} | {s.hours:.2f} | {s.hours * NODES:,.0f} | {s.busy:.0%} |"
        for s in simulated
    ]
    lines += ["", end]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5_000, help="made for each figure")
    parser.add_argument("--write", action="store_true", help=f"into {PAGE.name}")
    asked = parser.parse_args()
    measured = measure(asked.runs // SETTINGS * SETTINGS)
    simulated = [
        simulate(measured.tasks, seconds, runs=RUNS, slots=NODES * CPUS) for seconds in LENGTHS
    ]
    told = page(measured, simulated)
    print(told)
    if asked.write:
        text = PAGE.read_text("utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n{told}\n{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
