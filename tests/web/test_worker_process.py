"""A worker that cannot be started, dies or talks nonsense fails its task, and nothing else."""

import asyncio
import sys
from pathlib import Path

import pytest

from siffra.web import worker_process as crew_module
from siffra.web.errors import Refusal
from siffra.web.jobs import Bench
from siffra.web.paths import Places
from siffra.web.protocol import Task
from siffra.web.queue_file import QUEUE

TASK = Task(kind="lab", id="0" * 16)


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(crew_module, "WORKER", ("-c", code))


async def failed(bench: Bench) -> None:
    async with asyncio.timeout(30):
        while bench.error(TASK) is None:
            await asyncio.sleep(0.02)


async def with_a_failed_task(folder) -> Bench:
    bench = Bench(Places(folder / "runs.sqlite"))
    bench.open()
    bench.add(TASK)
    await failed(bench)
    return bench


@pytest.mark.parametrize(
    "code",
    ["", "import sys; sys.exit(3)", "input(); print('nonsense', flush=True); input(); input()",
     "input(); print('x' * 3_000_000, flush=True); input(); input()"],
    ids=["ends", "fails", "nonsense", "endless"],
)  # fmt: skip
def test_its_task_fails_and_the_next_can_be_begun(code, tmp_path, monkeypatch):
    stand_in(monkeypatch, code)

    async def main() -> None:
        bench = await with_a_failed_task(tmp_path)
        assert bench.state(TASK, complete=False) == "failed"
        assert bench.tasks == ()
        bench.add(TASK)
        assert bench.error(TASK) is None
        await failed(bench)
        await bench.close()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("code", "told"),
    [("import os; os.kill(os.getpid(), 9)", "by SIGKILL"), ("import os; os.abort()", "by SIGABRT"),
     ("import sys; sys.exit(3)", "with exit code 3")],
)  # fmt: skip
def test_how_it_ended_is_told_with_what_to_do(code, told, tmp_path, monkeypatch, caplog):
    stand_in(monkeypatch, code)

    async def main() -> None:
        bench = await with_a_failed_task(tmp_path)
        assert bench.error(TASK) == "worker_lost"
        await bench.close()

    asyncio.run(main())

    assert f"the training process ended {told}." in caplog.text
    assert "Every finished run is kept" in caplog.text
    assert ("memory" in caplog.text) == (told == "by SIGKILL")


def test_a_python_that_cannot_be_started_fails_it_too(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "none"))

    async def main() -> None:
        bench = await with_a_failed_task(tmp_path)
        await bench.close()

    asyncio.run(main())


def test_a_worker_that_does_not_stop_is_ended(tmp_path, monkeypatch):
    stand_in(monkeypatch, "import time; time.sleep(600)")
    monkeypatch.setattr("siffra.web.jobs._PATIENCE", 0.1)

    async def main() -> None:
        bench = Bench(Places(tmp_path / "runs.sqlite"))
        bench.open()
        bench.add(TASK)
        await asyncio.sleep(0.2)
        bench.remove(TASK)
        async with asyncio.timeout(30):
            while bench.at_work:
                await asyncio.sleep(0.02)
        assert bench.state(TASK, complete=False) == "stopped"
        await bench.close()

    asyncio.run(main())


def test_the_queue_is_written_down_as_it_changes_and_read_again(tmp_path, monkeypatch):
    stand_in(monkeypatch, "import time; time.sleep(600)")
    places = Places(tmp_path / "runs.sqlite")
    tasks = [Task(kind="lab", id=f"{number:016x}") for number in range(3)]

    async def first() -> None:
        bench = Bench(places)
        bench.open()
        bench.pause(True)
        for task in (*tasks, tasks[0]):
            bench.add(task)
        bench.remove(tasks[1])
        await bench.close()

    async def second() -> None:
        bench = Bench(places)
        bench.open()
        assert bench.paused
        assert bench.tasks == (tasks[0], tasks[2])
        assert bench.state(tasks[0], complete=False) == "paused"
        assert bench.state(tasks[1], complete=False) == "stopped"
        assert bench.state(tasks[1], complete=True) == "done"
        await bench.close()

    asyncio.run(first())
    asyncio.run(second())


def test_a_disk_that_is_full_stops_nothing(tmp_path, monkeypatch):
    stand_in(monkeypatch, "import time; time.sleep(600)")
    (tmp_path / "runs.sqlite.ui").write_text("in the folder's place")

    async def main() -> None:
        bench = Bench(Places(Path(tmp_path / "runs.sqlite")))
        bench.open()
        bench.add(TASK)
        assert bench.tasks == (TASK,)
        await bench.close()

    asyncio.run(main())


def test_a_page_that_does_not_listen_is_told_to_look_anew(tmp_path, monkeypatch):
    stand_in(monkeypatch, "import time; time.sleep(600)")

    async def main() -> None:
        bench = Bench(Places(tmp_path / "runs.sqlite"))
        bench.open()
        events = bench.listen()
        for number in range(2000):
            bench.pause(number % 2 == 0)
        assert events.qsize() <= 1000
        assert events.get_nowait() == ("bench", None)
        await bench.close()

    asyncio.run(main())


def test_the_queue_has_an_end(tmp_path):
    async def main() -> None:
        bench = Bench(Places(tmp_path / "runs.sqlite"))
        bench.open()
        bench.pause(True)
        for number in range(QUEUE):
            bench.add(Task(kind="lab", id=f"{number:016x}"))
        with pytest.raises(Refusal):
            bench.add(Task(kind="lab", id="f" * 16))
        await bench.close()

    asyncio.run(main())
