"""The command line as a whole: help, mistakes, start-up, broken pipes."""

import os
import subprocess
import sys

import pytest
import typer.main

from siffra.cli import app

HEAVY = ("numpy", "numba", "scipy", "matplotlib", "arro3", "pyarrow", "torch", "jinja2", "PIL")


def commands(group=None, path=()):
    """Every command by its path, groups included."""
    group = group or typer.main.get_command(app)
    for name, command in getattr(group, "commands", {}).items():
        yield (*path, name), command
        yield from commands(command, (*path, name)) if hasattr(command, "commands") else ()


def python(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, **options
    )


def test_without_a_command_it_shows_help(siffra):
    ended = siffra()

    assert ended.code == 0
    assert "siffra lab" in ended.out
    for path, _ in commands():
        assert path[0] in ended.out


def test_a_group_without_a_command_shows_help(siffra):
    ended = siffra("runs")

    assert (ended.code, ended.err) == (0, "")
    assert "export" in ended.out


@pytest.mark.parametrize(
    ("path", "command"), [pytest.param(*item, id=" ".join(item[0])) for item in commands()]
)
def test_every_command_has_help_that_shows_it_in_use(siffra, path, command):
    ended = siffra(*path, "--help")

    assert ended.code == 0
    if not hasattr(command, "commands") or command.help:
        assert ended.out.strip()
    if not hasattr(command, "commands"):
        assert f"siffra {' '.join(path)}" in ended.out.replace("Usage: ", "", 1)
        assert "Example" in ended.out
    assert all(p.help for p in command.params), f"an option of {path} has no help"
    assert "<bool>" not in ended.out  # a flag takes no value
    assert "…" not in ended.out  # nothing is cut


LIBRARY_WORDS = ("Value error", "nput should", "valid integer", "is not one of", "Traceback")


def test_version(siffra):
    ended = siffra("--version")

    assert ended.out.startswith("siffra 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lba"], "no such command 'lba'; did you mean 'lab'?"),
        (["runs", "shwo"], "no such command 'shwo'; did you mean 'show'?"),
        (["train", "--lerning-rate", "1"], "did you mean --learning-rate?"),
        (["train", "--lr", "1"], "no such option: --lr; did you mean --learning-rate?"),
        (["train", "--max-iter", "1"], "did you mean --epochs?"),
        (
            ["train", "--learning-rate", "quick"],
            "learning_rate: found 'quick'; it must be a number.",
        ),
        (["train", "--neurons", "8,x"], "neurons: found 'x'; it must be a whole number."),
        (["train", "--batch-size", "0"], "batch_size: found 0; "),
        (
            ["train", "--model", "cnov"],
            "model: found 'cnov'; it must be dense, conv, or a model of",
        ),
        (["train", "--kernel-size", "3"], "kernel_size: a dense model has no such knob"),
        (["train", "--epochs"], "--epochs: it needs a value."),
        (["train", "--seed", "-1"], "--seed: found '-1'; it must be at least 0."),
        (["train", "--data", "missing.npz"], "missing.npz: "),
        (["train", "--seed", str(2**63)], f"seed: found {2**63}; it must be from 0 to 2**63 - 1."),
        (["train", "--batch-size", str(2**63)], f"batch_size: found {2**63}; "),
        (["train", "--learning-rate", "1e39"], "learning_rate: found 1e+39; "),
        (["train", "--model", "conv", "--neurons", "64"], "neurons: a conv model has no hidden"),
        (["train", "--save", "missing/x"], "missing/x: cannot be written: No such file"),
        (["train", "--save", "."], ".: cannot be written: Is a directory."),
        (["train", "--save", f"{__file__}/x"], "cannot be written: Not a directory."),
        (["vary", "neurons=8,16", "--out", f"{__file__}/x"], "the report cannot be written there"),
        (["lab", "--out", f"{__file__}/x"], "the report cannot be written there: Not a directory."),
        (["train", "--threads", "4096"], "threads: found 4096"),
        (["train", "--moved", "99"], "moved = 99"),
        (["vary"], "missing argument 'KNOB=V1,V2,...'."),
        (["vary", "learning_rat=1,2"], "did you mean `learning_rate`?"),
        (["vary", "learning_rate=1"], "give at least two values"),
        (["vary", "neurons=8,9", "--max-seeds", "9"], "max_seeds: found 9; it must be from 10"),
        (["lab", "--seeds", "5", "--time", "5m"], "seeds: it fixes their number; leave out time"),
        (["lab", "--time", "soon"], "time: found 'soon'; use a duration such as 15s, 1m30s"),
        (["lab", "--until-decided"], "no such option: --until-decided"),
        (["lab", "missing.toml"], "missing.toml: "),
        (["lab", "--preset", "slow"], "--preset: found 'slow'; known: full, quick, standard."),
        (["lab", "--only", "a,zz"], "no question `zz`"),
        (
            ["lab", "--only", "a,"],
            "only: found 'a,'; an entry is empty: write it as a,b.",
        ),
        (["search", "--budget", "1s", "--sets", "test,"], "sets: found 'test,'; an entry is empty"),
        (
            ["vary", "neurons=4,,8"],
            "neurons: found '4,,8'; an entry is empty: write it as neurons=V1,V2",
        ),
        (["vary", "lr=0.1,0.2"], "lr: no such knob; did you mean `learning_rate`?"),
        (["vary", "seed=0,1"], "seed: it is no knob: every level is trained with the same seeds"),
        (["vary", "neurons=8,16", "--seeds", "0"], "--seeds: found '0'; it must be at least 1."),
        (
            ["vary", "neurons=8,16", "--engine", "jax"],
            "--engine: found 'jax'; known: native",
        ),
        (["train", "--model", "train.py:main"], "name the module without .py, as train:main."),
        (["train", "--recipe", "."], ".: it is a folder; a recipe is a TOML file."),
        (["train", "--batch-norm=yes"], "batch_norm: found 'yes'; it must be true or false."),
        (["vary", "learning_rate=0,5"], "Is one number meant? Write learning_rate=0.5"),
        (["train", "--learning-rate", "0,5"], "it must be a number, with a point: 0.5."),
        (["predict", "missing.safetensors", "x.png"], "missing.safetensors"),
        (["runs", "list", "--store", "missing.sqlite"], "missing.sqlite: no such store"),
        (["runs", "list", "--model", "cnov"], "model: found 'cnov'; did you mean `conv`?"),
        (["runs", "list", "--seed", str(2**63)], f"--seed: found '{2**63}'; it must be at most"),
        (["data", "--data", "missing.npz"], "missing.npz: "),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_clear_line_and_exit_code_2(siffra, arguments, message):
    ended = siffra(*arguments)

    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.startswith("error: ")
    assert message in ended.err
    assert not [word for word in LIBRARY_WORDS if word in ended.err]
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize("code", ["import siffra", "import siffra.api", "import siffra.cli"])
def test_start_up_imports_nothing_heavy(code):
    ended = python(f"{code}, sys; print(*sorted({{m.split('.')[0] for m in sys.modules}}))")

    assert ended.returncode == 0, ended.stderr
    assert not set(HEAVY) & set(ended.stdout.split())


def test_help_imports_nothing_heavy():
    code = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    ended = python(f"{code} from siffra.cli import main; main(['train', '--help'])")

    assert ended.returncode == 0
    assert not set(HEAVY) & {name.split(".")[0] for name in ended.stderr.split()}


def test_a_reader_who_stops_reading_gets_no_traceback():
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "siffra", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)

    assert (ended.returncode, ended.stderr) == (1, b"")


def test_help_has_no_colour_when_it_is_not_wanted():
    environment = os.environ | {"NO_COLOR": "1", "FORCE_COLOR": ""}
    ended = python("from siffra.cli import main; main(['--help'])", env=environment)

    assert "\x1b[" not in ended.stdout
