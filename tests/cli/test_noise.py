"""`siffra noise`: how much seeds alone change what a program measures."""

import json
import re
import signal
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from programs import Programs

import siffra as package
from siffra.errors import ConfigError, ExecutorError


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Programs:
    monkeypatch.chdir(tmp_path)
    return Programs(tmp_path, tmp_path / "runs.sqlite")


def asked(programs, script="train.py"):
    question = programs.question(script=script)
    return ("noise", "lr=0.1", *question[2:5])


def test_mean_deviation_and_seeds(siffra, programs):
    ended = siffra(*asked(programs), "--difference", 0.01)
    spread, seeds, pairs, *_ = ended.out.splitlines()

    number = r"\d+\.\d+"
    assert re.fullmatch(
        rf"loss over 10 seeds: mean {number} \(95 % interval {number} to {number}\), standard "
        rf"deviation {number} \({number} to {number}\)\.",
        spread,
    )
    assert seeds.startswith("To show a difference of 0.01 takes about ")
    assert pairs.startswith("Where runs with the same seed have much in common (correlation 0.5)")
    assert ended.err.startswith("10 runs.\n")  # then progress, on a busy machine


def test_as_json(siffra, programs):
    ended = siffra(*asked(programs), "--difference", 0.01, "--seeds", 6, "--json")
    found = json.loads(ended.out)
    loss = found["metrics"]["loss"]

    assert (found["runs"], found["failed"], len(loss["values"])) == (6, 0, 6)
    assert loss["deviation"] == pytest.approx(statistics.stdev(loss["values"]))
    assert loss["seeds_needed"]["paired"] < loss["seeds_needed"]["unpaired"]


def test_in_swedish(siffra, programs):
    assert "standardavvikelse 0," in siffra(*asked(programs), "--lang", "sv").out


def test_its_runs_are_those_of_vary(siffra, programs):
    siffra(*programs.question(), "--seeds", 5)
    ended = siffra(*asked(programs))

    assert ended.err.startswith("10 runs, 5 of them stored; about ")
    assert len(programs.made) == 15


def test_a_program_that_does_not_use_its_seed(siffra, programs):
    programs.write("still.py", """print('{"loss": 0.25}')""")
    ended = siffra(*asked(programs, "still.py"))

    assert ended.out == (
        "loss: all 10 runs gave 0.25. Seeds change nothing, or the program does not use its seed.\n"
    )


def test_runs_that_fail_are_said(siffra, programs):
    programs.write("odd.py", "import sys; print('{\"loss\": %d}' % (1 / (int(sys.argv[2]) == 1)))")
    ended = siffra(*asked(programs, "odd.py"))

    assert ended.out.startswith("loss: fewer than two runs have a value")
    assert "Of all runs: 9 of 10 runs failed (exit 1): ZeroDivisionError" in ended.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("noise",), "command: found none"),
        (("noise", "lr=1,2"), "lr: found 2 values; noise is that of one setting"),
        (("noise", "lr=1", "--seeds", 1), "seeds: found 1"),
        (("noise", "lr=1", "--difference", 0), "difference: found 0.0"),
        (("noise", "width=1"), "the command has no `{width}`"),
    ],
)
def test_a_mistake_is_a_line(siffra, programs, words, said):
    command = asked(programs)[2:] if len(words) > 1 else ()
    ended = siffra(*words, *command)

    assert ended.code == 2
    assert said in ended.err
    assert ended.err.count("\n") == 1


def test_in_python(programs):
    command = asked(programs)[3]
    result = package.noise(
        command, metric="loss:lower", knobs={"lr": 0.3}, seeds=5, store=programs.store
    )

    assert len(result.noises["loss"].values) == 5
    assert str(result).startswith("loss over 5 seeds: mean ")


@pytest.mark.skipif(not hasattr(signal, "SIGCHLD"), reason="there is no SIGCHLD")
def test_a_program_fails_also_where_the_ends_of_children_are_ignored(siffra, tmp_path):
    program = tmp_path / "fails.py"
    program.write_text("print('loss=0.1')\nraise SystemExit(3)\n")
    usual = signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # as services may start programs
    try:
        ended = siffra(
            "noise",
            f"--command={sys.executable} {program} {{seed}}",
            "--metric=loss:lower",
            "--seeds=2",
            f"--store={tmp_path / 'runs.sqlite'}",
        )
        is_as_before = signal.getsignal(signal.SIGCHLD)
    finally:
        signal.signal(signal.SIGCHLD, usual)

    assert "(exit 3)" in ended.err
    assert is_as_before is signal.SIG_IGN


@pytest.mark.skipif(not hasattr(signal, "SIGCHLD"), reason="there is no SIGCHLD")
@pytest.mark.parametrize("is_main", [True, False])
def test_in_python_it_fails_there_as_well(tmp_path, is_main):
    program = tmp_path / "fails.py"
    program.write_text("print('{\"loss\": 0.1}')\nraise SystemExit(3)\n")

    def asked():
        words = [sys.executable, str(program), "{seed}"]
        return package.noise(words, metric="loss:lower", seeds=2, store=tmp_path / "runs.sqlite")

    usual = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        if is_main:
            with pytest.raises(ExecutorError, match=r"\(exit 3\)"):
                asked()
            assert signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN
        else:
            with ThreadPoolExecutor(1) as pool, pytest.raises(ConfigError, match="SIGCHLD is igno"):
                pool.submit(asked).result()
    finally:
        signal.signal(signal.SIGCHLD, usual)
