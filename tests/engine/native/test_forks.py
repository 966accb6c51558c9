"""A process that has trained may be forked, and its child trains the same bits."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

SCRIPT = """
import multiprocessing, os, sys, threading
sys.path.insert(0, sys.argv[1])
from small import small_dataset
from siffra.config import Setting
from siffra.engine.native.engine import NativeEngine

KNOBS = (
    {"neurons": [9, 5], "batch_norm": True},
    {"model": "conv", "filters": 3, "kernel_size": 3},
)
DATASET = small_dataset()

def train(knobs):
    setting = Setting.from_knobs({"epochs": 1, "batch_size": 9, "learning_rate": 0.1, **knobs})
    made = NativeEngine().fit(setting.model, setting.training, DATASET, 0, lambda end, fitted: None)
    weights = [array.tobytes() for array in made.weights().values()]
    return weights, made.predict(DATASET.test.x).tobytes()

mine = [train(knobs) for knobs in KNOBS]
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert pool.map_async(train, KNOBS).get(timeout=300) == mine
    print("pool")

child = os.fork()
if child == 0:
    assert train(KNOBS[1]) == mine[1]
    if os.fork() == 0:
        assert train(KNOBS[1]) == mine[1]
        print("grandchild", flush=True)
        os._exit(0)
    os._exit(os.wait()[1])
assert os.waitpid(child, 0)[1] == 0
print("child")
assert [train(knobs) for knobs in KNOBS] == mine
print("parent")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_forked_processes_train_the_same_bits_and_none_is_killed_or_waits():
    """GNU's OpenMP does not survive a fork: children were killed, and a pool waited for them."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[2])],
        env=os.environ | {"NUMBA_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.stdout.split() == ["pool", "grandchild", "child", "parent"], ended.stderr


FORKED_WHILE_COMPILING = """
import os, threading, time
from numba.core import event
from siffra.system import jit as kernels

@kernels.compiled
def slow(x):
    return x + 1

class Waiter(event.Listener):
    def on_start(self, event):
        compiling.set()
        time.sleep(0.2)
    def on_end(self, event):
        pass

compiling = threading.Event()
with event.install_listener("numba:compile", Waiter()):
    thread = threading.Thread(target=lambda: slow(1))
    thread.start()
    compiling.wait()
    if os.fork() == 0:
        print(kernels.compiled(lambda x: 2 * x)(1), flush=True)
        os._exit(0)
    thread.join()
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_a_fork_while_another_thread_compiles_can_compile(tmp_path):
    """What that thread has locked, nobody would unlock in the child."""
    (tmp_path / "forked.py").write_text(FORKED_WHILE_COMPILING)
    ended = subprocess.run(
        [sys.executable, "forked.py"],
        cwd=tmp_path,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert ended.stdout == "2\n", ended.stderr


KILLED_WITH_A_LOCK = """
import os, signal
import numba, numpy as np
from numba.np.ufunc import parallel
from siffra.system.jit import parallel as on_threads

@on_threads
def double(x):
    for i in numba.prange(len(x)):
        x[i] *= 2
    return x.sum()

def doubled():
    return double(np.ones(8))

print(doubled())
if os.fork() == 0:
    parallel._backend_init_process_lock.acquire()
    os.kill(os.getpid(), signal.SIGKILL)
os.wait()
if os.fork() == 0:
    numba.get_num_threads()  # takes that lock
    print(doubled(), flush=True)
    os._exit(0)
os.wait()
numba.get_num_threads()
print(doubled())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks")
def test_a_fork_that_is_killed_while_numba_has_a_lock_leaves_nobody_waiting(tmp_path):
    """The lock was one of all processes of a family: a server's other children waited for ever."""
    (tmp_path / "killed.py").write_text(KILLED_WITH_A_LOCK)
    with subprocess.Popen(
        [sys.executable, "killed.py"],
        cwd=tmp_path,
        env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_NUM_THREADS": "2"},
        stdout=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as family:
        try:
            out, _ = family.communicate(timeout=300)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(family.pid, signal.SIGKILL)  # whoever still waits
    assert out.split() == ["16.0"] * 3
