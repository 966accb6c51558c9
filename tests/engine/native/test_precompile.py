"""What many trainings need is compiled ahead, on two cores, and only if it is not there yet."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import make_digits
from numba import njit
from numba.core.dispatcher import Dispatcher
from small import small_dataset

from siffra.config import Setting
from siffra.data.corruptions import noisy
from siffra.data.dataset import Images
from siffra.engine.native import precompile
from siffra.engine.native.engine import NativeEngine
from siffra.training.run import run


@pytest.fixture
def started(monkeypatch):
    """The processes that were started, each a real one that only sleeps."""
    processes = []

    class Sleeper(subprocess.Popen):
        def __init__(self, command, **how):
            self.command = command
            sleep = "import sys, time; sys.stdin.read(); time.sleep(60)"
            super().__init__([sys.executable, "-c", sleep], **how)
            processes.append(self)

    monkeypatch.setattr(subprocess, "Popen", Sleeper)
    return processes


def tasks(*knobs):
    settings = [Setting.from_knobs(each) for each in knobs]
    return [(setting.model, setting.training) for setting in settings]


CONV, NARROW, WIDE = {"model": "conv", "filters": 3}, {"neurons": 7}, {"neurons": 9}


def prepare_by(compiling, prepared):
    def prepare(model, training, dataset):
        prepared.append(model)
        if compiling:
            njit(lambda x: x + 1)(1)

    return prepare


def test_every_training_is_prepared_alike_ones_together(started):
    prepared = []
    precompile.prepare_all(tasks(NARROW, CONV, WIDE), small_dataset(), prepare_by(False, prepared))
    assert [model.kind for model in prepared] == ["conv", "dense", "dense"]


def test_where_nothing_has_to_be_compiled_no_process_is_started(started):
    precompile.prepare_all(tasks(NARROW, CONV), small_dataset(), prepare_by(False, []))
    assert started == []


def test_the_first_compilation_starts_one_process_which_is_gone_at_the_end(started):
    precompile.prepare_all(tasks(NARROW, CONV, WIDE), small_dataset(), prepare_by(True, []))
    (process,) = started
    assert process.poll() is not None
    assert process.command[-2:] == ["siffra.engine.native", str(os.getpid())]


def test_nothing_to_prepare_has_no_other_end(started):
    precompile.prepare_all([], small_dataset(), prepare_by(True, []))
    assert started == []


@pytest.mark.parametrize(("threads", "processes"), [(1, 0), (2, 1)])
def test_an_engine_that_may_use_two_cores_has_help_with_a_single_training(
    started, monkeypatch, threads, processes
):
    engine = NativeEngine(threads)
    monkeypatch.setattr(engine, "prepare_alone", prepare_by(True, []))
    ((model, training),) = tasks(NARROW)

    engine.prepare(model, training, small_dataset())

    assert len(started) == processes


def test_a_preparation_that_fails_leaves_no_process_behind(started):
    def prepare(model, training, dataset):
        njit(lambda x: x + 1)(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        precompile.prepare_all(tasks(NARROW, WIDE), small_dataset(), prepare)
    assert started[0].poll() is not None


def test_the_process_puts_kernels_into_the_cache_that_all_share(tmp_path):
    told = pickle.dumps((tasks(NARROW), small_dataset()))
    subprocess.run(
        [sys.executable, "-m", "siffra.engine.native"],
        input=told,
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        check=True,
        timeout=300,
    )
    assert any(tmp_path.rglob("dense*.nbc"))


def test_the_process_ends_with_the_one_that_started_it(tmp_path):
    """Killed, that one can end nobody; and what it wanted compiled nobody wants any more."""
    script = (
        "import os, subprocess, sys\n"
        "child = subprocess.Popen(\n"
        "    [sys.executable, '-m', 'siffra.engine.native', str(os.getpid())],\n"
        "    stdin=subprocess.PIPE, stdout=sys.stdout)\n"
        "sys.stdin.read(1)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.close()
        # It waits for its tasks, with the end of a pipe that it holds itself closed: until it is
        # gone, this does not end.
        assert parent.stdout.read() == b""


def test_what_one_process_has_compiled_no_other_compiles_again():
    """All kinds of kernels, those that are made for an activation or a shape too."""
    knobs = [
        {"neurons": 7},
        {"neurons": 7, "activation": "gelu", "optimizer": "muon", "dropout": 0.2},
        {"model": "conv", "filters": 3},
        {
            "model": "conv", "filters": 3, "kernel_size": 3, "padding": "same", "batch_norm": True,
            "activation": "tanh", "optimizer": "adamw", "ema": 0.9, "augment": "shifts",
        },
    ]  # fmt: skip
    script = (
        "import pickle, sys\n"
        "from numba.core import event\n"
        "from siffra.engine.native.engine import NativeEngine\n"
        "tasks, dataset = pickle.load(sys.stdin.buffer)\n"
        "with event.install_recorder('numba:compile') as compiled:\n"
        "    for model, training in tasks:\n"
        "        NativeEngine().prepare(model, training, dataset)\n"
        "print(*{str(told.data['dispatcher']) for _, told in compiled.buffer}, sep='\\n')"
    )
    dataset = small_dataset((28, 28, 1))
    for model, training in tasks(*knobs):
        NativeEngine().prepare(model, training, dataset)

    second = subprocess.run(
        [sys.executable, "-c", script],
        input=pickle.dumps((tasks(*knobs), dataset)),
        check=True,
        capture_output=True,
        timeout=300,
    )

    assert second.stdout.decode().split() == []


def asked_of_numba_after_preparing(knobs, monkeypatch):
    """What a run of digits, with noise in one set, asks Numba to compile or to load too late."""
    digits = make_digits(30)
    noise = noisy(digits.test.x, 0.1, np.random.default_rng(0))
    dataset = replace(digits, shifted={**digits.shifted, "noisy": Images(noise, digits.test.y)})
    setting = Setting.from_knobs({"epochs": 1, **knobs})
    NativeEngine().prepare(setting.model, setting.training, dataset)
    asked, ask = [], Dispatcher.compile

    def note(dispatcher, signature):
        asked.append(f"{dispatcher.__name__}{signature}")
        return ask(dispatcher, signature)

    monkeypatch.setattr(Dispatcher, "compile", note)
    run(setting, dataset, 0, NativeEngine())
    return asked


def test_what_is_prepared_leaves_nothing_to_be_compiled():
    # In a process of its own, where no other test has compiled it.
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import pytest\n"
        "from engine.native.test_precompile import CONV, NARROW, asked_of_numba_after_preparing\n"
        "for knobs in (NARROW, CONV):\n"
        "    with pytest.MonkeyPatch.context() as monkeypatch:\n"
        "        print(asked_of_numba_after_preparing(knobs, monkeypatch))"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(Path(__file__).parents[2])],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )

    assert told.stdout == "[]\n[]\n"
