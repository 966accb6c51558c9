"""A cluster of Ray's, with several nodes on this machine: nodes and drivers die, no run is lost."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_lab import (
    NODE,
    SETTINGS,
    LoggingEngine,
    line_of,
    make_failing_engine,
    make_slow_engine,
    results,
    small_dataset,
    small_plan,
    timeless,
)

import siffra
from siffra.engine.native.engine import NativeEngine
from siffra.errors import ConfigError, ExecutorError
from siffra.lab.execute.ray import RayExecutor, Resources, engine_runs
from siffra.lab.execute.runner import Event, run_plan
from siffra.lab.execute.trainer import RunTrainer
from siffra.lab.plan.plan import PlannedTiming
from siffra.store.store import open_store
from siffra.training.run import run_key
from siffra.training.timing import timing_key

pytest.importorskip("ray", reason="Ray is an extra that is not installed")

# Ray leaves files and processes open behind it.
pytestmark = [
    pytest.mark.usefixtures("unpainted"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DATASET = small_dataset()
LAB = """
title = "Bars"
data = { path = "bars.npz", moved = 2.0 }
base = { batch_size = 9, epochs = 2, neurons = 8 }

[[questions]]
id = "rate"
ask = "How large may a step be?"
vary = { learning_rate = [0.01, 0.02, 0.1] }
figures = ["levels", "shifts"]

[[questions.claims]]
id = "larger"
say = "A larger step learns as much."
level = { learning_rate = 0.02 }
against = { learning_rate = 0.01 }
direction = "same"
margin = 0.1
"""


@pytest.fixture(scope="module")
def own_lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lab on data of its own, which asks for networks to be examined."""
    folder = tmp_path_factory.mktemp("lab")
    rng = np.random.default_rng(3)
    y = np.arange(120) % 3
    x = rng.integers(0, 90, (120, 12, 12))
    for image, label in zip(x, y, strict=True):
        image[2:10, 4 * label : 4 * label + 3] += 60
    x = x.astype(np.uint8)
    np.savez(folder / "bars.npz", x_train=x[:90], y_train=y[:90], x_test=x[90:], y_test=y[90:])
    (folder / "lab.toml").write_text(LAB, encoding="utf-8")
    return folder / "lab.toml"


@pytest.fixture(scope="module")
def found(own_lab: Path) -> Callable[..., Any]:
    """`found("here")`: what the lab finds, from its `results.json`."""

    @cache
    def run(name: str, **where: Any) -> Any:
        store, out = own_lab.parent / f"{name}.sqlite", own_lab.parent / name
        many: Any = {"max_seeds": 10, "threads": 1}
        siffra.run_lab(own_lab, **many, store=store, out=out, **where)
        return json.loads((out / "results.json").read_text("utf-8"))

    return run


def cluster_of(make: Any, engine: Any, **options: Any) -> RayExecutor:
    """A cluster that trains the small lab's networks with engines that `make` makes."""
    runs, timer = (
        partial(engine_runs, DATASET, None, engine.name, make),
        RunTrainer(DATASET, engine),
    )
    return RayExecutor(runs, timer=timer, **options)


@pytest.fixture
def join(nodes: Any, engine: LoggingEngine) -> Iterator[Callable[..., RayExecutor]]:
    """`join()`: the cluster, joined, and left at the end."""
    joined: list[RayExecutor] = []

    def joined_cluster(
        make: Any = make_slow_engine, *arguments: Any, **resources: Any
    ) -> RayExecutor:
        maker = partial(make, engine.log, *arguments)
        made = cluster_of(maker, engine, resources=Resources(**resources))
        joined.append(made)
        return made

    yield joined_cluster
    for cluster in joined:
        cluster.close()


def test_rounds_are_timed_in_this_process(join, engine):
    cluster = join()
    timing, run = PlannedTiming(SETTINGS[:2], 0), small_plan().runs[0]
    events: list[Event] = []

    cluster.submit(timing)
    cluster.submit(run)
    while {event.kind for event in events} != {"timed", "finished"}:
        cluster.poll(events.append)

    (timed,) = [event for event in events if event.kind == "timed"]
    assert timed.run == timing
    assert timed.timing
    assert timed.timing.key == timing_key(timing.settings, DATASET, 0, engine)


def test_a_node_dies_in_mid_lab_and_nothing_is_lost(nodes, join, engine, tmp_path):
    restarted: list[Event] = []
    doomed = nodes.add_node(num_cpus=1, **NODE)
    nodes.wait_for_nodes()
    cluster = join(alone=True)  # so that each node has a run at any time
    assert cluster.size == 3

    def kill(event: Event) -> None:
        if event.kind == "lost":
            restarted.append(event)
        if event.kind == "finished" and doomed in nodes.list_all_nodes():
            nodes.remove_node(doomed, allow_graceful=False)

    plan = small_plan(range(4))
    with open_store(tmp_path / "runs.sqlite") as store:
        made = run_plan(plan, DATASET, engine, store, kill, executor=cluster).records
        assert {record.key for record in store.records()} == {r.key for r in made.values()}

    lost = [line_of(event.planned_run) for event in restarted]
    assert len(lost) == 1
    # What was lost may have been begun before; nothing else was begun twice.
    begun = engine.trained()
    lines = [line_of(run) for run in plan.runs]
    assert set(begun) == set(lines)
    assert len(begun) <= len(lines) + len(lost)
    assert {line for line in begun if begun.count(line) > 1} <= set(lost)
    with open_store(tmp_path / "other.sqlite") as store:
        assert results(run_plan(plan, DATASET, engine, store).records) == results(made)
    nodes.wait_for_nodes(timeout=120)  # till the cluster knows of the death, which takes a while


def test_a_killed_driver_goes_on_where_it_was(nodes, join, engine, tmp_path):
    path = tmp_path / "runs.sqlite"
    program = (
        "import sys\n"
        "from functools import cache, partial\n"
        "from pathlib import Path\n"
        "from small_lab import LoggingEngine, make_slow_engine, small_dataset, small_plan\n"
        "from siffra.lab.execute.runner import run_plan\n"
        "from siffra.lab.execute.ray import RayExecutor, Resources, engine_runs\n"
        "from siffra.store.store import open_store\n"
        "dataset, log = small_dataset(), Path(sys.argv[2])\n"
        "engine, make = LoggingEngine(log), partial(make_slow_engine, log)\n"
        "runs = partial(engine_runs, dataset, None, engine.name, make)\n"
        "cluster = RayExecutor(runs, resources=Resources())\n"
        "show = lambda event: print(event.kind, flush=True)\n"
        "with open_store(sys.argv[1]) as store:\n"
        "    run_plan(small_plan(range(40)), dataset, engine, store, show, executor=cluster)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, path, engine.log], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        while process.stdout.readline() not in ("finished\n", ""):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
    with open_store(path) as store:
        before = store.records()
        plan = small_plan(range(8))
        went_on = run_plan(plan, DATASET, engine, store, executor=join()).records
        after = store.records()

    assert before
    assert [record for record in after if record in before] == before
    with open_store(tmp_path / "other.sqlite") as store:
        assert results(run_plan(plan, DATASET, engine, store).records) == results(went_on)


def test_a_runs_own_error_is_raised_here_and_the_run_not_made_again(join, engine, tmp_path):
    cluster = join(make_failing_engine, False)
    with (
        open_store(tmp_path / "runs.sqlite") as store,
        pytest.raises(ConfigError, match=r"learning_rate: not this one\."),
    ):
        run_plan(small_plan((1,), SETTINGS[1:2]), DATASET, engine, store, executor=cluster)

    assert engine.trained() == ["0.5 1"]


def test_a_run_that_takes_its_worker_down_again_and_again_ends_the_lab(join, engine, tmp_path):
    restarted: list[Event] = []

    def note(event: Event) -> None:
        if event.kind == "lost":
            restarted.append(event)

    cluster = join(make_failing_engine, True)
    with (
        open_store(tmp_path / "runs.sqlite") as store,
        pytest.raises(ExecutorError, match=r"lost 3 times"),
    ):
        run_plan(small_plan((1,), SETTINGS[1:2]), DATASET, engine, store, note, executor=cluster)

    assert [event.losses for event in restarted] == [1, 2]
    assert engine.trained() == ["0.5 1"] * 3


def test_short_runs_are_made_several_to_a_task(monkeypatch, join, engine, tmp_path):
    monkeypatch.setattr("siffra.lab.execute.ray._TASK_SECONDS", 0.5)
    cluster, plan = join(), small_plan(range(12))
    most = 0

    def note(event: Event) -> None:
        nonlocal most
        most = max(most, *(len(runs) for runs, _ in cluster._submitted.values()), 0)

    with open_store(tmp_path / "runs.sqlite") as store:
        made = run_plan(plan, DATASET, engine, store, note, executor=cluster).records
        assert {record.key for record in store.records()} == {r.key for r in made.values()}

    assert most > 1
    assert sorted(engine.trained()) == sorted(map(line_of, plan.runs))
    with open_store(tmp_path / "other.sqlite") as store:
        assert results(run_plan(plan, DATASET, engine, store).records) == results(made)


def test_of_a_task_that_takes_its_worker_down_the_other_runs_are_made(
    monkeypatch, join, engine, tmp_path
):
    monkeypatch.setattr("siffra.lab.execute.ray._TASK_SECONDS", 60.0)
    cluster = join(make_failing_engine, True)
    first, fatal = small_plan((2,), SETTINGS[:1]), small_plan((1,))
    culprit = fatal.runs[1]
    with open_store(tmp_path / "runs.sqlite") as store:
        run_plan(first, DATASET, engine, store, executor=cluster)  # it shows how short they are
        cluster._nodes = dict([next(iter(cluster._nodes.items()))])  # all go into two tasks
        with pytest.raises(ExecutorError, match=r"lost 3 times") as error:
            run_plan(fatal, DATASET, engine, store, executor=cluster)

        key = run_key(culprit.setting, DATASET, culprit.seed, engine)
        assert key[:12] in str(error.value)
        assert len(store.records()) == len(first.runs) + len(fatal.runs) - 1


def test_alone_a_run_has_a_node_to_itself(nodes, join, engine, tmp_path):
    cluster = join(alone=True)

    with open_store(tmp_path / "runs.sqlite") as store:
        made = run_plan(small_plan((0, 1)), DATASET, engine, store, executor=cluster).records

    assert (cluster.size, cluster.capacity) == (2, 2)
    # Both nodes are on this machine, and that is told.
    assert {record.machine.jobs for record in made.values()} == {2}


def test_what_a_run_needs_must_be_there(join):
    with pytest.raises(ExecutorError, match="no node of the cluster has 2 CPUs, which a run needs"):
        join(cpus=2)
    with pytest.raises(ExecutorError, match="no node of the cluster has a GPU"):
        join(gpus=1.0)


def test_a_lab_finds_the_same_as_here_seeds_added_and_networks_examined(nodes, found):
    here, there = found("here"), found("there", on="auto")

    assert timeless(there) == timeless(here)
    assert here["questions"][0]["levels"][0]["shifts"]
    assert here["questions"][0]["levels"][0]["n"] > 5
    assert (here["machine"]["jobs"], there["machine"]["jobs"]) == (1, 2)


def test_by_rays_client_from_elsewhere(nodes, port, own_lab, found):
    here = found("here")

    out = own_lab.parent / "client"
    command = [
        sys.executable, "-m", "siffra", "lab", own_lab, "--max-seeds", "10", "--out", out, "--on", f"ray://127.0.0.1:{port}",
        "--store", own_lab.parent / "client.sqlite",
    ]  # fmt: skip
    told = subprocess.run(command, capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stderr
    assert ", 2 runs in parallel" in told.stderr
    assert timeless(json.loads((out / "results.json").read_text("utf-8"))) == timeless(here)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            "Failed:\nTraceback (most recent call last):\n  File 1\nOSError: no room.\n",
            "OSError: no room",
        ),
        (
            "Version mismatch:\n    Ray: 2.60.0\n    Python: 3.11.7",
            "Version mismatch: Ray: 2.60.0 Python: 3.11.7",
        ),
        ("", "RuntimeError"),
    ],
)
def test_why_a_cluster_is_out_of_reach_is_told_in_one_line(monkeypatch, told, reason):
    def fail(*arguments, **options):
        raise RuntimeError(told)

    monkeypatch.setattr("ray.is_initialized", lambda: False)
    monkeypatch.setattr("ray.init", fail)
    made_by = partial(make_slow_engine, Path("log"))
    with pytest.raises(ExecutorError) as error:
        cluster_of(made_by, NativeEngine(), resources=Resources(), address="ray://there:1")
    assert str(error.value) == f"on: no Ray cluster at ray://there:1: {reason}"
