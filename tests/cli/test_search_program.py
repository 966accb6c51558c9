"""`siffra search --command`: the best setting of a program that somebody else wrote."""

import json
import random
import shlex
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest
from programs import Programs, wait_until

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
BOWL = """
import json, math, os, random, sys, time
lr, width, seed = float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
with open("made.txt", "a") as made:
    print(lr, width, seed, file=made)
time.sleep(float(os.environ.get("NAP", 0)))
if lr > 0.5:
    sys.exit("diverged")
chance = random.Random(f"{lr} {width} {seed}").gauss(0, 0.05)
print(json.dumps({"loss": (math.log10(lr) + 1.5) ** 2 + 0.3 * (width != 32) + chance}))
"""
"""Least at a learning rate of 10^-1.5 and a width of 32; fails where the rate is large."""
RUNS = 8 + 4 * 4 + 3 * 5
"""Of the search, of its finalists, and of what is judged."""


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Programs:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    made = Programs(folder, tmp_path / "runs.sqlite")
    made.write("train.py", BOWL)
    return made


def asked(*more: object) -> tuple[object, ...]:
    command = f"{shlex.quote(sys.executable)} train.py {{lr}} {{width}} {{seed}}"
    space = ("lr=0.001..1", "width=16,32,64")
    options = ("--command", command, "--metric=loss:lower", "--baseline=lr=0.3,width=16")
    return ("search", *space, *options, "--runs=8", *more)


def question_of(ended):
    (question,) = json.loads(ended.out)["questions"]
    return question


def test_it_says_what_was_found_and_what_is_shown_of_it(siffra, programs):
    ended = siffra(*asked())
    answer, table, _, verdicts, fixed = ended.out.strip().split("\n\n")

    assert answer.startswith("Found: lr 0.")
    assert " over 5 fresh seeds. The best of 8 runs promised " in answer
    assert " Shown: loss is " in answer
    assert len(table.splitlines()) == 2 + 3
    assert [line.split(":")[0] for line in verdicts.splitlines()][1] == "Better"
    assert fixed == "Held fixed: not known"
    assert len(set(programs.made)) == len(programs.made) == RUNS


def test_asked_again_it_makes_no_run_and_answers_the_same(siffra, programs):
    first = siffra(*asked("--json"))
    program, *words = shlex.split(json.loads(first.out)["command"])
    made = programs.made
    again = siffra(*words, "--json")

    assert program == "siffra"
    assert again.out == first.out
    assert programs.made == made


def test_an_edited_script_is_searched_anew(siffra, programs):
    siffra(*asked())
    programs.write("train.py", BOWL + "\n# edited\n")
    siffra(*asked())

    assert len(programs.made) == 2 * RUNS


def test_a_setting_that_fails_is_a_result(siffra, programs):
    programs.write("train.py", BOWL.replace("lr > 0.5", "lr > 0.01"))
    ended = siffra(*asked())

    failed = int(ended.out.split(" 8 runs, ")[1].split()[0])
    assert failed == sum(
        line.endswith(" 10000") and float(line.split()[0]) > 0.01 for line in programs.made
    )
    assert "failed (exit 1): diverged" in ended.err
    listed = siffra("runs", "list", "--store", programs.store)
    assert listed.code == 0


def test_check_and_a_report(siffra, programs):
    ended = siffra(*asked("--check", "--out", "report", "--jobs", 2))

    page = (programs.folder / "report" / "report.html").read_text("utf-8")
    for part in ("Found: lr", "Optuna proposed the settings", "siffra search lr=0.001..1"):
        assert part in page
    (question,) = json.loads((programs.folder / "report" / "results.json").read_text())["questions"]
    assert ended.code == 0  # it is better than the baseline, whatever is known of the second
    assert question["search"]["space"] == {"lr": "0.001..1", "width": [16, 32, 64]}


def test_a_time_may_take_the_place_of_a_number_of_runs(siffra, programs):
    words = [word for word in asked("--time=1s", "--json") if word != "--runs=8"]

    assert question_of(siffra(*words))["search"]["runs"] >= 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("lr=1..0.1",), "lr: found '1..0.1'; the first number must be below the second."),
        (("--budget=5s",), "budget: it means nothing to a program; leave it out."),
        (("--batch-size=5",), "batch_size: siffra's knobs mean nothing to a program"),
        (("--baseline=lr",), "lr: no levels; write them as lr=0.1,0.3."),
        (("--runs=1",), "runs: found 1; a search has two or more."),
        (("--time=soon",), "time: found 'soon'"),
    ],
)
def test_a_mistake_is_one_line(siffra, programs, words, message):
    space = ("width=16,32,64", *([] if "lr=1..0.1" in words else ["lr=0.1..1"]))
    command = ("--command", "python train.py {lr} {width} {seed}", "--metric=loss:lower")
    ended = siffra("search", *space, *command, *words)

    assert ended.code == 2
    assert ended.err.startswith(f"error: {message}")
    assert ended.err.count("\n") == 1
    assert programs.made == []


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("lr=0.1..1",), "space"),
        (("--runs", 3), "runs"),
        (("--baseline", "lr=1"), "baseline"),
        (("--seeds", 3), "seeds"),
        (("--jobs", 2), "jobs"),
        (("--check",), "check"),
        (("--metric", "loss:lower"), "metric"),
    ],
)
def test_what_is_for_a_program_needs_one(siffra, words, name):
    ended = siffra("search", "--budget", "5s", *words)

    assert ended.code == 2
    assert ended.err == f"error: {name}: it is for a program of your own; give its --command.\n"


def test_a_search_for_a_network_needs_a_budget(siffra):
    ended = siffra("search")

    assert ended.code == 2
    assert ended.err.startswith("error: budget: found none; ")


@pytest.mark.parametrize(
    "words",
    [
        ("--budget", "5s"),
        ("x=1..2", "--command=true {x} {seed}", "--metric=loss:lower"),
    ],
)
def test_without_optuna_one_line_says_how_to_get_it(words):
    without = (
        "import runpy, sys; sys.modules['optuna'] = None; "
        "runpy.run_module('siffra', run_name='__main__')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", without, "search", *words],
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 2
    said = "error: search: Optuna is not installed; run `pip install 'siffra[search]'`.\n"
    assert ended.stderr == said


@ON_LINUX
@pytest.mark.parametrize(("number", "runs"), [(signal.SIGINT, 12), (signal.SIGKILL, 3)])
def test_killed_in_the_search_or_after_it_goes_on_and_makes_nothing_twice(programs, number, runs):
    words = tuple(map(str, asked("--json")))
    process = programs.start(*words, NAP="0.1")
    wait_until(lambda: programs.stored >= runs)
    time.sleep(random.Random(runs).uniform(0, 0.1))
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    wait_until(lambda: not programs.living())

    if number == signal.SIGINT:
        assert process.returncode == 130
        assert err.splitlines()[-1].startswith("Stopped: ")
    stored, made = programs.stored, len(programs.made)
    out, _ = programs.start(*words).communicate(timeout=300)

    assert json.loads(out)["questions"][0]["search"]["runs"] == 8
    again = len(programs.made) - made
    failed = sum(float(line.split()[0]) > 0.5 for line in programs.made)
    assert RUNS - stored <= again <= RUNS - stored + failed
    # What was in progress was lost, and only what failed may be tried anew.
    twice = {line: n for line, n in Counter(programs.made).items() if n > 1}
    assert len(twice) <= 1 + failed
