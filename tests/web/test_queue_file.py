"""A queue that is damaged loses what is damaged of it, says so, and is kept as it was."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siffra.web.protocol import Task
from siffra.web.queue_file import QUEUE, Queue, read_queue

GOOD = {"kind": "lab", "id": "0123456789abcdef"}
TASK = Task.model_validate(GOOD)
BAD = [1, None, {}, {"kind": "lab"}, {"kind": "lab", "id": "../../x"}, {**GOOD, "kind": "shell"},
       {**GOOD, "id": "0123456789abcdef\n"}, {**GOOD, "id": "../../../etc/passwd"},
       {**GOOD, "more": 1}]  # fmt: skip


def aside(folder) -> list[bytes]:
    return [path.read_bytes() for path in folder.glob("queue.json.damaged-*")]


def test_a_queue_that_was_never_written_is_empty(tmp_path, caplog):
    assert read_queue(tmp_path / "queue.json") == Queue()
    assert caplog.text == ""


def test_a_whole_one_is_read_as_it_was_written(tmp_path, caplog):
    queue = Queue(paused=True, tasks=[TASK], failed={"f" * 16: "worker_lost"})
    (tmp_path / "queue.json").write_text(queue.model_dump_json())

    assert read_queue(tmp_path / "queue.json") == queue
    assert caplog.text == ""
    assert aside(tmp_path) == []


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe{", b"[" * 100_000, b'{"paused": tru']
)
def test_one_that_is_no_queue_is_kept_aside_and_told(tmp_path, content, caplog):
    path = tmp_path / "queue.json"
    path.write_bytes(content)

    for _ in range(2):  # however often it is read, it is kept once
        assert read_queue(path) == Queue()

    assert aside(tmp_path) == [content]
    assert "queue.json.damaged-" in caplog.text


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_a_bad_task_takes_no_other_with_it(tmp_path, bad, caplog):
    path = tmp_path / "queue.json"
    content = json.dumps({"paused": True, "tasks": [bad, GOOD, bad]}).encode()
    path.write_bytes(content)

    queue = read_queue(path)

    assert queue.tasks == [TASK]
    assert queue.paused
    assert aside(tmp_path) == [content]
    assert "2 of its entries" in caplog.text


def test_an_unknown_reason_of_a_failure_takes_no_task_with_it(tmp_path):
    path = tmp_path / "queue.json"
    path.write_text(json.dumps({"tasks": [GOOD], "failed": {"a": "magic", "b": "server"}}))

    queue = read_queue(path)

    assert queue.tasks == [TASK]
    assert queue.failed == {"b": "server"}


def test_more_tasks_than_may_wait_are_left_out(tmp_path):
    path = tmp_path / "queue.json"
    many = [{"kind": "lab", "id": f"{number:016x}"} for number in range(1000)]
    path.write_text(json.dumps({"tasks": many}))

    assert len(read_queue(path).tasks) == QUEUE
    assert len(aside(tmp_path)) == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(tasks=json_values, failed=json_values, paused=json_values)
def test_whatever_stands_in_it_nothing_breaks_and_the_good_task_stays(
    tmp_path_factory, tasks, failed, paused
):
    path = tmp_path_factory.mktemp("queue") / "queue.json"
    tasks = [*tasks, GOOD] if isinstance(tasks, list) else [tasks, GOOD]
    path.write_text(json.dumps({"tasks": tasks, "failed": failed, "paused": paused}))

    assert TASK in read_queue(path).tasks
