"""A process that computes what it is asked for."""

import os
import time

import pytest

from siffra.bench.worker import Worker
from siffra.errors import BenchError


def test_it_answers_and_tells_what_went_wrong_in_a_line():
    with Worker.start() as worker:
        assert worker.ask(divmod, 7, 2) == (3, 1)
        with pytest.raises(BenchError, match="invalid literal"):
            worker.ask(int, "seven")
        assert worker.ask(divmod, 9, 2) == (4, 1)


def test_one_that_dies_or_takes_too_long_is_given_up():
    with Worker.start() as worker, pytest.raises(BenchError, match="its process died"):
        worker.ask(os._exit, 1)
    assert not worker.alive
    with Worker.start(patience=0.2) as worker, pytest.raises(BenchError, match="more than 0 s"):
        worker.ask(time.sleep, 60)


def test_a_function_may_be_named_by_one_who_does_not_import_it():
    with Worker.start() as worker:
        assert worker.ask("siffra.bench.workloads:_dense", 3, 7) == {"neurons": 3, "batch_size": 7}
