"""siffra beside AdaStop and plain Holm on five seeds, on the same made-up labs.

T. Mathieu and others, AdaStop: adaptive statistical testing for sound comparisons of deep RL
agents, 2024 (PyPI: adastop 0.1.3), compares the means of the runs by permutations, five runs at a
time. It runs in an environment of its own (`adastop_labs`).
"""

import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import stdtr

from benchmarks.method import twin
from benchmarks.method.draws import DOWN, SEEDS, SPREAD, half_trained, normal, of_accuracy
from benchmarks.method.power import Judge
from benchmarks.method.twin import GREATER, LOOKS, OPEN, SAME

LEVELS, ALPHA = 6, 0.05
PYTHON, SCRIPT = Path("build/adastop/bin/python"), Path(__file__).with_name("adastop_labs.py")
INSTALL = f"python -m venv {PYTHON.parents[1]} && {PYTHON.parent}/pip install adastop==0.1.3"
NAMES = ("siffra", "AdaStop", "Holm, 5 seeds")

LABS: Mapping[str, tuple[Callable[..., np.ndarray], float]] = {
    "nothing differs, normal": (normal, 0.0),
    "nothing differs, 20 % of runs collapse": (lambda rng, shape: _collapsing(rng, shape), 0.0),
    "nothing differs, 50 % of runs stop halfway": (half_trained(0.5), 0.0),
    "two of five levels differ by half a standard deviation": (normal, 0.5),
    "by 1": (normal, 1.0),
}
"""What a level's runs are drawn by, and how far two of the levels are above the others."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What one of them makes of labs of five claims against one level.

    `wrong` of the `labs` have any wrong verdict; `found` is the share of true differences found
    (NaN: there are none), `runs` the mean number of runs a lab.
    """

    labs_of: str
    name: str
    labs: int
    wrong: int
    found: float
    runs: float


def study_peers(judge: Judge, labs: int, python: Path, say: Callable[[str], None]) -> list[Peer]:
    """All of them on the same labs; without AdaStop where `python` is not there."""
    rows = []
    for name, (level, sizes) in LABS.items():
        say(f"peers: {name}")
        rng = np.random.default_rng(5)
        values = level(rng, (labs, LEVELS, SEEDS))
        # The differences of pairs vary by the square root of two as much as a level does.
        ahead = np.array([0, 1, 1, 0, 0, 0]) * sizes * SPREAD * np.sqrt(2)
        values += ahead[:, None]
        found = {"siffra": _siffra(judge, values)}
        if python.exists():
            found["AdaStop"] = run_aside(python, SCRIPT, values)
        found["Holm, 5 seeds"] = _holm(values)
        rows += [_peer(name, who, ahead[1:], *what) for who, what in found.items()]
    return rows


def _peer(name: str, who: str, ahead: np.ndarray, shown: np.ndarray, runs: np.ndarray) -> Peer:
    """`shown` (labs, claims) is 1 above the first level, -1 below, 0 else."""
    wrong = ((shown != 0) & (shown != np.sign(ahead))).any(axis=1)
    found = shown[:, ahead > 0] == 1
    power = float(found.mean()) if found.size else float("nan")
    return Peer(name, who, len(shown), int(wrong.sum()), power, float(runs.mean()))


def _siffra(judge: Judge, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    down = values == DOWN
    first = np.broadcast_to(down[:, :1], down[:, 1:].shape)
    made = of_accuracy(values[:, 1:] - values[:, :1])
    if down.any():
        made = replace(made, down=down[:, 1:], down_against=first)
    judged = judge(made, LOOKS)
    differs = (judged.shown != OPEN) & (judged.shown != SAME)
    shown = np.where(differs, np.where(judged.shown == GREATER, 1, -1), 0)
    # The level that all are against goes on as long as any claim does.
    return shown, judged.look.sum(axis=1) + judged.look.max(axis=1)


def _holm(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    d = values[:, 1:, :5] - values[:, :1, :5]
    mean, deviation = d.mean(axis=-1), d.std(axis=-1, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.nan_to_num(2 * stdtr(4, -np.abs(mean) / deviation * np.sqrt(5)), nan=1.0)
    shown = np.where(p <= twin.holm(p, ALPHA), np.sign(mean), 0)
    return shown, np.full(len(values), 5 * LEVELS)


def run_aside(python: Path, script: Path, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a tool's `script` makes of `values` (labs, levels, seeds), run by its own `python`.

    `shown` (labs, levels - 1) is 1 above the first level, -1 below, 0 else; `runs` (labs).
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(source, values=values)
        subprocess.run([python, script, source, target], check=True, stdout=sys.stderr)
        with np.load(target) as file:
            return file["shown"], file["runs"]


def _collapsing(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.where(rng.random(shape) < 0.2, DOWN, normal(rng, shape))
