"""`siffra lab` and `siffra report` on a lab file that varies a program."""

import json
import signal
import sys

import pytest
from programs import RATES, Programs, wait_until

LAB = (
    RATES
    + """[[questions]]
id = "far"
ask = "And one that is larger still?"
vary = { lr = [0.3, 0.9] }
[[questions.claims]]
id = "below"
say = "It ends below 2."
level = { lr = 0.9 }
against = 2
direction = "better"
[[experiments]]
id = "mine"
name = "Mine"
knobs = { lr = 0.5 }
reported = { loss = 1.9 }
"""
)


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Programs:
    """In a folder that is not the working directory."""
    folder, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    programs = Programs(folder, tmp_path / "runs.sqlite")
    programs.write("my.toml", LAB)
    return programs


@pytest.fixture
def lab(programs):
    return programs.folder / "my.toml"


def questions_of(ended):
    return json.loads(ended.out)["questions"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_ctrl_c_ends_the_program_and_its_children_and_asked_again_the_lab_goes_on(programs):
    programs.write("my.toml", LAB.replace("train.py", "parent.py"))
    programs.write(
        "parent.py",
        "import subprocess, sys\n"
        'sys.exit(subprocess.run([sys.executable, "train.py", *sys.argv[1:]]).returncode)\n',
    )
    asked = ("lab", "my.toml", "--seeds", "3", "--jobs", "2")
    process = programs.start(*asked, NAP="0.3")
    wait_until(lambda: programs.stored >= 2)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    stored = programs.stored

    wait_until(lambda: not programs.living())
    assert process.returncode == 130
    made = len(programs.made)
    again = programs.start(*asked)
    again.communicate(timeout=300)
    assert again.returncode == 0
    assert programs.stored == 3 * 4
    assert len(programs.made) - made == 3 * 4 - stored


class TestRunning:
    def test_it_answers_and_writes_its_report(self, siffra, programs, lab, tmp_path):
        ended = siffra("lab", lab, "--seeds", 5, "--out", tmp_path / "out")

        assert ended.code == 0
        assert "supported  A larger rate lowers the loss." in ended.out
        report = (tmp_path / "out" / "report.md").read_text("utf-8")
        assert "| Mine | " in report
        assert "siffra lab my.toml --preset full --seeds 5" in report
        assert f"Program: {sys.executable} train.py \\{{lr\\}} \\{{seed\\}}" in report
        assert (tmp_path / "out" / "figures" / "experiments.svg").exists()

    def test_the_program_runs_in_the_folder_of_the_lab_file(self, siffra, programs, lab):
        siffra("lab", lab, "--seeds", 2)

        assert len(programs.made) == 2 * 4

    def test_questions_share_runs_and_nothing_is_run_twice(self, siffra, programs, lab):
        siffra("lab", lab, "--seeds", 2)
        ended = siffra("lab", lab, "--seeds", 3)

        assert ended.err.startswith("12 runs, 8 of them stored")
        assert len(programs.made) == len(set(programs.made)) == 3 * 4

    def test_siffra_vary_finds_its_runs(self, siffra, programs, lab, monkeypatch):
        siffra("lab", lab, "--seeds", 5)
        before = len(programs.made)
        monkeypatch.chdir(programs.folder)
        siffra(*programs.question())

        assert len(programs.made) == before

    def test_an_edited_program_is_run_anew(self, siffra, programs, lab):
        siffra("lab", lab, "--seeds", 1)
        programs.write("train.py", (programs.folder / "train.py").read_text() + "# edited\n")
        siffra("lab", lab, "--seeds", 1)

        assert len(programs.made) == 2 * 4

    def test_as_json(self, siffra, lab):
        rates, far = questions_of(siffra("lab", lab, "--seeds", 5, "--json"))

        assert [level["metrics"]["loss"]["mean"] < 3 for level in rates["levels"]] == [True, True]
        assert (far["claims"][0]["against"], far["claims"][0]["named"]["better"]) == (2, "lower")

    def test_gpus_are_slots(self, siffra, programs, lab):
        siffra("lab", lab, "--seeds", 2, "--gpus", "3,5")

        assert {line.split()[2] for line in programs.made} == {"3", "5"}

    def test_the_timeout_of_the_command_line_goes_before_the_file_s(self, siffra, programs, lab):
        programs.write("my.toml", LAB + '[command]\ntimeout = "1h"\n')
        programs.write("train.py", "import time\ntime.sleep(60)\n")
        ended = siffra("lab", lab, "--seeds", 1, "--timeout", "0.2s", "--jobs", 4, "--json")

        assert ended.code == 2
        assert ended.err.endswith("error: all of the first 4 runs failed (timeout)\n")

    def test_only_one_question(self, siffra, programs, lab):
        siffra("lab", lab, "--seeds", 1, "--only", "far")

        assert sorted(line.split()[0] for line in programs.made) == ["0.3", "0.9"]


class TestReading:
    def test_a_dry_run_runs_nothing(self, siffra, programs, lab):
        ended = siffra("lab", lab, "--seeds", 5, "--dry-run", "--json")
        told = json.loads(ended.out)

        assert (told["runs"], told["stored"]) == (20, 0)
        assert {name: part["runs"] for name, part in told["parts"].items()} == {
            "lr": 10, "far": 10, "experiments": 5,
        }  # fmt: skip
        assert programs.made == []
        assert not programs.store.exists()

    def test_a_report_comes_from_what_is_stored(self, siffra, programs, lab, tmp_path):
        siffra("lab", lab, "--seeds", 2)
        before = programs.made
        ended = siffra("report", lab, "--seeds", 2, "--out", tmp_path / "again")

        assert ended.code == 0
        assert programs.made == before
        assert "A larger rate lowers the loss." in (tmp_path / "again" / "report.md").read_text()

    def test_runs_that_failed_are_results_of_a_report(self, siffra, programs, lab, tmp_path):
        failing = "import sys\nif sys.argv[2] == '1': sys.exit(3)\nprint('{\"loss\": 1.5}')\n"
        programs.write("train.py", failing)
        siffra("lab", lab, "--seeds", 2)
        ended = siffra("report", lab, "--seeds", 2, "--out", tmp_path / "again")

        assert ended.code == 0
        assert "exit 3" in (tmp_path / "again" / "report.md").read_text()

    def test_a_report_without_the_runs_is_refused_and_runs_nothing(self, siffra, programs, lab):
        ended = siffra("report", lab, "--seeds", 2)

        assert ended.code == 2
        assert "0 of this lab's 8 runs are stored" in ended.err
        assert programs.made == []

    def test_the_lab_is_kept_and_its_runs_are_listed(self, siffra, programs, lab, tmp_path):
        siffra("lab", lab, "--seeds", 1)
        before = programs.made

        assert "Rates" in siffra("runs", "labs").out
        out = tmp_path / "runs.csv"
        assert siffra("runs", "export", out, "--lab", "latest").code == 0
        assert "loss" in out.read_text().splitlines()[0].split(",")
        assert programs.made == before


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--engine", "torch"), "error: engine: it means nothing to a program; leave it out."),
        (("--threads", 2), "error: threads: it means nothing to a program; leave it out."),
        (("--alone",), "error: alone: is for a cluster; here, one run at a time is alone."),
        (("--epochs", 2), "error: epochs: siffra does not know those of a command; leave it out, "),
        (("--only", "x"), "error: only: my.toml has no question `x`; "),
        (("--gpus", "0", "--jobs", 2), "error: jobs: with gpus, there is one run at a time on "),
    ],
)
def test_an_option_that_means_nothing_is_refused(siffra, programs, lab, words, expected):
    ended = siffra("lab", lab, *words)

    assert ended.code == 2
    assert ended.err.startswith(expected)
    assert programs.made == []


@pytest.mark.parametrize("words", [("--gpus", "0"), ("--timeout", "5s")])
def test_a_lab_of_networks_takes_none_of_a_program_s(siffra, words):
    ended = siffra("lab", *words)

    assert ended.code == 2
    assert ended.err == (
        f"error: {words[0][2:]}: it is for the lab of a command; digits.toml has none. Leave it "
        "out.\n"
    )


def test_a_program_that_is_not_there_is_said_with_the_key(siffra, programs, lab):
    programs.write("my.toml", LAB.replace(sys.executable, "no-such-program"))

    assert siffra("lab", lab).err.startswith(
        "error: my.toml: base.command: found no program `no-such-program`; "
    )


@pytest.mark.parametrize("more", [(), ("--check",)])
def test_a_budget_too_short_for_any_verdict_is_told_by_the_exit_code(siffra, programs, lab, more):
    ended = siffra("lab", lab, "--time", "0.001s", *more)

    assert ended.code == 4
    assert "Not enough time: a first look takes about" in ended.out
    assert siffra("lab", lab, "--seeds", "5").code == 0
