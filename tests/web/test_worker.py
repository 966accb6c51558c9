"""The server's commands are obeyed after each epoch, in the order in which they were sent."""

import io
import threading
from dataclasses import replace

import pytest

from siffra.config import Setting
from siffra.lab.execute.events import Event, Progress
from siffra.lab.plan.plan import PlannedRun
from siffra.training.run import Epoch
from siffra.web.paths import Paths
from siffra.web.protocol import Command, Message, Task
from siffra.web.worker import Cancelled, Control, Worker

RUN = PlannedRun(Setting.from_knobs({"neurons": [8, 4], "epochs": 0.5}), seed=3, examine=True)
EPOCH = Event(
    "epoch",
    RUN,
    2,
    Epoch(seconds=0.1, loss=0.3, accuracy={"val": 0.5}),
    progress=Progress(1, 9, 1.5),
)
TASK, OTHER = Task(kind="lab", id="a" * 16), Task(kind="model", id="b" * 64)


def scores(loss: float) -> Epoch:
    return Epoch(seconds=0.1, loss=loss, accuracy={"val": 0.5})


@pytest.fixture
def control() -> Control:
    return Control()


def test_without_a_command_it_goes_on(control):
    control.obey(TASK)


def test_a_cancelled_task_ends_alone(control):
    control.take(Command(do="cancel", task=TASK))

    control.obey(OTHER)
    with pytest.raises(Cancelled):
        control.obey(TASK)


def test_a_cancel_that_came_too_late_does_not_end_the_task_when_it_is_started_anew(control):
    control.take(Command(do="cancel", task=TASK))
    control.take(Command(do="start", task=TASK))

    control.obey(TASK)


def test_a_pause_holds_until_it_is_over(control):
    control.take(Command(do="pause"))
    held = threading.Thread(target=control.obey, args=(TASK,))
    held.start()
    held.join(0.1)
    assert held.is_alive()

    control.take(Command(do="resume"))

    held.join(300)
    assert not held.is_alive()


def test_a_pause_holds_runs_in_other_processes_until_it_is_over(control):
    heard: list[bool] = []
    control.obey(TASK, heard.append)
    control.take(Command(do="pause"))
    held = threading.Thread(target=control.obey, args=(TASK, heard.append))
    held.start()
    held.join(0.1)
    during = list(heard)

    control.take(Command(do="resume"))
    held.join(300)

    assert (during, heard) == ([True], [True, False])


def test_a_paused_task_can_be_cancelled(control):
    control.take(Command(do="pause"))
    ended = []

    def work() -> None:
        with pytest.raises(Cancelled):
            control.obey(TASK)
        ended.append(True)

    held = threading.Thread(target=work)
    held.start()
    control.take(Command(do="cancel", task=TASK))
    held.join(300)

    assert ended


@pytest.mark.parametrize(
    "message",
    [Command(do="start", task=TASK), Message(task=TASK, error="data_gone"),
     Message(task=OTHER, event=EPOCH, earlier=(scores(0.2),)),
     Message(task=TASK, event=Event("waiting"))],
)  # fmt: skip
def test_a_message_is_a_line_and_comes_back_as_it_was(message):
    line = message.line()

    assert line.count(b"\n") == 1
    assert type(message).model_validate_json(line) == message


def test_epochs_are_told_ten_times_a_second_and_none_is_lost(control, tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr("siffra.web.worker.time.monotonic", lambda: now)
    out = io.BytesIO()
    worker = Worker(Paths(tmp_path / "runs.sqlite"), None, control, out)
    other = replace(RUN, seed=4)

    worker._tell(TASK, Event("started", RUN))
    for number in range(1, 301):  # of two runs at once, 300 epochs in 1.5 s
        now += 0.005
        for run in (RUN, other):
            worker._tell(TASK, replace(EPOCH, run=run, epoch=number, scores=scores(number)))
    worker._tell(TASK, Event("finished", RUN))

    messages = [Message.model_validate_json(line) for line in out.getvalue().splitlines()]
    kinds = [message.event.kind for message in messages if message.event]
    assert (kinds[0], kinds[-1]) == ("started", "finished")
    assert len(kinds) <= 2 + 2 * (15 + 1)
    told = [message for message in messages if message.event and message.event.run == other]
    losses = [each.loss for message in told for each in (*message.earlier, message.event.scores)]
    assert losses == [float(number) for number in range(1, 301)]


def test_a_pause_is_told_where_it_is(control, tmp_path):
    out = io.BytesIO()
    worker = Worker(Paths(tmp_path / "runs.sqlite"), None, control, out)
    for number in (1, 2, 3):
        worker._tell(TASK, replace(EPOCH, epoch=number, scores=scores(number)))
    control.take(Command(do="pause"))
    held = threading.Thread(target=worker._obey, args=(TASK,))
    held.start()
    held.join(0.1)

    last = Message.model_validate_json(out.getvalue().splitlines()[-1])
    control.take(Command(do="resume"))
    held.join(300)

    assert last.event
    assert last.event.epoch == 3
