"""What the server orders is obeyed after each epoch, in the order in which it was given."""

import threading

import pytest

from siffra.web.protocol import Order, Task, Told
from siffra.web.worker import Control, Stopped

TASK, OTHER = Task(kind="lab", id="a" * 16), Task(kind="model", id="b" * 64)


@pytest.fixture
def control() -> Control:
    return Control()


def test_without_orders_it_goes_on(control):
    control.obey(TASK)


def test_a_stop_ends_its_task_alone(control):
    control.take(Order(do="stop", task=TASK))

    control.obey(OTHER)
    with pytest.raises(Stopped):
        control.obey(TASK)


def test_a_stop_that_came_too_late_does_not_end_the_task_when_it_is_begun_anew(control):
    control.take(Order(do="stop", task=TASK))
    control.take(Order(do="begin", task=TASK))

    control.obey(TASK)


def test_a_pause_holds_until_it_is_over(control):
    control.take(Order(do="pause"))
    held = threading.Thread(target=control.obey, args=(TASK,))
    held.start()
    held.join(0.1)
    assert held.is_alive()

    control.take(Order(do="resume"))

    held.join(10)
    assert not held.is_alive()


def test_what_is_held_can_be_stopped(control):
    control.take(Order(do="pause"))
    ended = []

    def work() -> None:
        with pytest.raises(Stopped):
            control.obey(TASK)
        ended.append(True)

    held = threading.Thread(target=work)
    held.start()
    control.take(Order(do="stop", task=TASK))
    held.join(10)

    assert ended


@pytest.mark.parametrize(
    "message",
    [Order(do="begin", task=TASK), Told(event="ended", task=TASK, error="data_gone"),
     Told(event="epoch", task=OTHER, run=3, epoch=2, done=1, total=9, seconds_left=1.5)],
)  # fmt: skip
def test_a_message_is_a_line_and_comes_back_as_it_was(message):
    line = message.line()

    assert line.count(b"\n") == 1
    assert type(message).model_validate_json(line) == message
