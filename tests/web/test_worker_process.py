"""A worker that cannot be started, dies or talks nonsense fails its task, and nothing else."""

import asyncio
import sys
from pathlib import Path

import pytest

from siffra.config import Setting
from siffra.lab.execute.events import Event, Progress
from siffra.lab.plan.plan import PlannedRun
from siffra.training.run import Epoch
from siffra.web import worker_process
from siffra.web.errors import ApiError
from siffra.web.jobs import JobQueue
from siffra.web.paths import Paths
from siffra.web.protocol import Message, Task
from siffra.web.queue_file import QUEUE

TASK = Task(kind="lab", id="0" * 16)


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(worker_process, "WORKER", ("-c", code))


async def failed(jobs: JobQueue) -> None:
    async with asyncio.timeout(300):
        while jobs.error(TASK) is None:
            await asyncio.sleep(0.02)


async def with_a_failed_task(folder) -> JobQueue:
    jobs = JobQueue(Paths(folder / "runs.sqlite"))
    jobs.open()
    jobs.add(TASK)
    await failed(jobs)
    return jobs


@pytest.mark.parametrize(
    "code",
    ["", "import sys; sys.exit(3)", "input(); print('nonsense', flush=True); input(); input()",
     "input(); print('x' * 3_000_000, flush=True); input(); input()"],
    ids=["ends", "fails", "nonsense", "endless"],
)  # fmt: skip
def test_its_task_fails_and_the_next_can_be_begun(code, tmp_path, monkeypatch):
    stand_in(monkeypatch, code)

    async def main() -> None:
        jobs = await with_a_failed_task(tmp_path)
        assert jobs.state(TASK, complete=False) == "failed"
        assert jobs.tasks == ()
        jobs.add(TASK)
        assert jobs.error(TASK) is None
        await failed(jobs)
        await jobs.close()

    asyncio.run(main())


def test_epochs_of_runs_made_at_once_are_kept_apart(tmp_path, monkeypatch):
    one, other = (PlannedRun(Setting.from_knobs({"epochs": 2}), seed) for seed in (0, 1))
    scores = [Epoch(seconds=0.1, loss=loss, accuracy={"val": 0.5}) for loss in (0.3, 0.2, 0.1)]
    events = [
        Event("started", one),
        Event("started", other),
        Event("epoch", one, 1, scores[0]),
        Event("epoch", other, 1, scores[1]),
        Event("epoch", one, 2, scores[2], progress=Progress(decided=1, claims=2)),
    ]
    lines = b"".join(Message(task=TASK, event=event).line() for event in events)
    end = Message(task=TASK, event=Event("finished", one)).line()
    code = "import sys; out = sys.stdout.buffer; "
    code += f"out.write({lines!r}); out.flush(); input(); input(); input(); "
    stand_in(monkeypatch, code + f"out.write({end!r}); out.flush(); input()")

    async def main() -> None:
        jobs = JobQueue(Paths(tmp_path / "runs.sqlite"))
        jobs.open()
        jobs.add(TASK)
        assert jobs.running
        running = jobs.running
        async with asyncio.timeout(300):
            while running.progress.claims == 0:
                await asyncio.sleep(0.02)
        assert running.runs == {one: [scores[0], scores[2]], other: [scores[1]]}
        jobs.pause(True)
        async with asyncio.timeout(300):
            while one in running.runs:
                await asyncio.sleep(0.02)
        assert running.runs == {other: [scores[1]]}
        await jobs.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("code", "told"),
    [("import os; os.kill(os.getpid(), 9)", "by SIGKILL"), ("import os; os.abort()", "by SIGABRT"),
     ("import sys; sys.exit(3)", "with exit code 3")],
)  # fmt: skip
def test_how_it_ended_is_told_with_what_to_do(code, told, tmp_path, monkeypatch, caplog):
    stand_in(monkeypatch, code)

    async def main() -> None:
        jobs = await with_a_failed_task(tmp_path)
        assert jobs.error(TASK) == "worker_lost"
        await jobs.close()

    asyncio.run(main())

    assert f"the training process ended {told}." in caplog.text
    assert "Every finished run is kept" in caplog.text
    assert ("memory" in caplog.text) == (told == "by SIGKILL")


def test_a_python_that_cannot_be_started_fails_it_too(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))

    async def main() -> None:
        jobs = await with_a_failed_task(tmp_path)
        await jobs.close()

    asyncio.run(main())


def test_a_worker_that_does_not_stop_is_ended(tmp_path, monkeypatch):
    stand_in(monkeypatch, "import time; time.sleep(600)")
    monkeypatch.setattr("siffra.web.jobs._PATIENCE", 0.1)

    async def main() -> None:
        jobs = JobQueue(Paths(tmp_path / "runs.sqlite"))
        jobs.open()
        jobs.add(TASK)
        await asyncio.sleep(0.2)
        jobs.cancel(TASK)
        async with asyncio.timeout(300):
            while jobs.running:
                await asyncio.sleep(0.02)
        assert jobs.state(TASK, complete=False) == "stopped"
        await jobs.close()

    asyncio.run(main())


def test_the_queue_is_written_down_as_it_changes_and_read_again(tmp_path, monkeypatch):
    stand_in(monkeypatch, "import time; time.sleep(600)")
    paths = Paths(tmp_path / "runs.sqlite")
    tasks = [Task(kind="lab", id=f"{number:016x}") for number in range(3)]

    async def first() -> None:
        jobs = JobQueue(paths)
        jobs.open()
        jobs.pause(True)
        for task in (*tasks, tasks[0]):
            jobs.add(task)
        jobs.cancel(tasks[1])
        await jobs.close()

    async def second() -> None:
        jobs = JobQueue(paths)
        jobs.open()
        assert jobs.paused
        assert jobs.tasks == (tasks[0], tasks[2])
        assert jobs.state(tasks[0], complete=False) == "paused"
        assert jobs.state(tasks[1], complete=False) == "stopped"
        assert jobs.state(tasks[1], complete=True) == "done"
        await jobs.close()

    asyncio.run(first())
    asyncio.run(second())


def test_a_disk_that_is_full_stops_nothing(tmp_path, monkeypatch):
    stand_in(monkeypatch, "import time; time.sleep(600)")
    (tmp_path / "runs.sqlite.ui").write_text("in the folder's place")

    async def main() -> None:
        jobs = JobQueue(Paths(Path(tmp_path / "runs.sqlite")))
        jobs.open()
        jobs.add(TASK)
        assert jobs.tasks == (TASK,)
        await jobs.close()

    asyncio.run(main())


def test_a_page_that_does_not_listen_is_told_to_look_anew(tmp_path, monkeypatch):
    stand_in(monkeypatch, "import time; time.sleep(600)")

    async def main() -> None:
        jobs = JobQueue(Paths(tmp_path / "runs.sqlite"))
        jobs.open()
        events = jobs.listen()
        for number in range(2000):
            jobs.pause(number % 2 == 0)
        assert events.qsize() <= 1000
        assert events.get_nowait() == "queue"
        await jobs.close()

    asyncio.run(main())


def test_the_queue_has_an_end(tmp_path):
    async def main() -> None:
        jobs = JobQueue(Paths(tmp_path / "runs.sqlite"))
        jobs.open()
        jobs.pause(True)
        for number in range(QUEUE):
            jobs.add(Task(kind="lab", id=f"{number:016x}"))
        with pytest.raises(ApiError):
            jobs.add(Task(kind="lab", id="f" * 16))
        await jobs.close()

    asyncio.run(main())
