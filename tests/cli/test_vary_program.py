"""`siffra vary --command`: a question about a program that somebody else wrote."""

import csv
import json
import random
import re
import shlex
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from programs import Programs, expect_nothing_lost, wait_until

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
BAD = """
import json, sys, time
mode, seed = sys.argv[1], int(sys.argv[2])
with open("made.txt", "a") as made:
    print(mode, seed, file=made)
if mode == "status" and seed == 1:
    print("out of memory", file=sys.stderr)
    sys.exit(3)
if mode == "down":
    import no_such_module
if mode == "silent":
    sys.exit(print("trained"))
if mode == "nan" and seed == 2:
    sys.exit(print('{"epoch": 1, "loss": 2}\\n{"epoch": 2, "loss": NaN}'))
if (mode, seed) in (("slow", 3), ("endless", 4)):
    open(f"{mode}.hangs", "w").close()
if mode == "slow" and seed == 3:
    time.sleep(600)
while mode == "endless" and seed == 4:
    print("again " * 1000)
print(json.dumps({"loss": 1 + 0.01 * seed}))
"""


@pytest.fixture
def programs(tmp_path, monkeypatch) -> Programs:
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Programs(folder, tmp_path / "runs.sqlite")


def levels_of(ended):
    (question,) = json.loads(ended.out)["questions"]
    return question["levels"]


class TestAnswer:
    def test_it_answers_in_the_terminal(self, siffra, programs):
        ended = siffra(*programs.question(), "--seeds", 6)
        answer, table, plot, verdict, fixed = ended.out.strip().split("\n\n")
        assert answer == "Shown: loss is 0.202 lower with lr 0.3 than with 0.1."
        assert [line.split()[0] for line in table.splitlines()[2:]] == ["0.1", "0.3"]
        assert plot.startswith("loss: ")
        assert verdict.startswith("Better: loss, lr 0.3 against lr 0.1; −0.202 (")
        assert fixed == "Held fixed: not known"
        assert ended.err.startswith("12 runs.\n")

    def test_in_swedish(self, siffra, programs):
        ended = siffra(*programs.question(), "--lang", "sv")
        assert ended.out.startswith("Visat: loss är 0,2003 lägre med lr 0,3 än med 0,1.")

    def test_as_json(self, siffra, programs):
        ended = siffra(*programs.question(), "--json")
        (question,) = json.loads(ended.out)["questions"]

        assert question["claims"][0]["verdict"] == "supported"
        assert question["claims"][0]["n"] == 5
        assert question["metrics"][0]["better"] == "lower"
        assert [level["knobs"] for level in question["levels"]] == [{"lr": 0.1}, {"lr": 0.3}]

    @pytest.mark.parametrize(
        ("levels", "code"), [("lr=0.1,0.3", 0), ("lr=0.3,0.1", 3), ("lr=0.1,0.1001", 3)]
    )
    def test_check_ends_with_the_verdict(self, siffra, programs, levels, code):
        assert siffra(*programs.question(levels), "--check").code == code

    def test_check_of_an_open_claim(self, siffra, programs):
        assert siffra(*programs.question(), "--seeds", 2, "--check").code == 4

    def test_a_report(self, siffra, programs):
        ended = siffra(*programs.question(), "--out", "report")

        lines = ended.err.splitlines()  # between them, on a busy machine, progress
        assert (lines[0], lines[-1]) == ("10 runs.", "report: report/report.html")
        page = (programs.folder / "report" / "report.html").read_text()
        assert "Run it in the same folder as before" in page
        with (programs.folder / "report" / "runs.csv").open() as file:
            rows = list(csv.DictReader(file))
        assert sorted({row["lr"] for row in rows}) == ["0.1", "0.3"]
        assert len(rows) == 10

    def test_its_command_asks_the_same_again(self, siffra, programs):
        first = siffra(
            *programs.question(),
            *("--read", r"loss.. (?P<loss>[0-9.]+)", "--watch", "train.py", "--jobs", 2),
            *("--timeout", "10s", "--max-seeds", 10, "--json"),
        )
        program, *words = shlex.split(json.loads(first.out)["command"])
        made = programs.made
        again = siffra(*words, "--json")

        assert program == "siffra"
        assert again.out == first.out
        assert programs.made == made != []

    def test_the_words_of_levels_are_those_of_the_program(self, siffra, programs):
        texts = ["007", "1_000", "nan", "none", "True", "true", "[1,2]", "a b", "+3"]
        numbers = {"3": 3, "0.5": 0.5, "1e-3": 0.001}
        programs.write("show.py", "import json, sys; print(json.dumps({'loss': len(sys.argv[1])}))")
        levels = f"x={','.join([*texts, *numbers])}"
        ended = siffra(*programs.question(levels, "show.py"), "--seeds", 1, "--json")

        values = [level["knobs"]["x"] for level in levels_of(ended)]
        assert values == [*texts, *numbers.values()]
        lengths = [level["metrics"]["loss"]["mean"] for level in levels_of(ended)]
        assert lengths == [*map(len, texts), 1, 3, 5]


class TestRuns:
    def test_asked_again_nothing_is_made(self, siffra, programs):
        first = siffra(*programs.question())
        again = siffra(*programs.question())

        assert again.out == first.out
        assert again.err == "10 runs, 10 of them stored.\n"
        assert len(programs.made) == 10

    def test_what_is_missing_is_made(self, siffra, programs):
        siffra(*programs.question(), "--seeds", 3)
        siffra(*programs.question("lr=0.1,0.2,0.3"), "--seeds", 4)

        assert len(programs.made) == len(set(programs.made)) == 12

    def test_an_edited_script_is_run_anew(self, siffra, programs):
        siffra(*programs.question(), "--seeds", 2)
        programs.write("train.py", (programs.folder / "train.py").read_text() + "# better\n")
        ended = siffra(*programs.question(), "--seeds", 2)
        again = siffra(*programs.question(), "--seeds", 2)

        assert len(programs.made) == 8
        assert "4 stored runs are not used: they were made with other content" in ended.err
        assert "not used" not in again.err

    def test_so_is_one_of_which_a_watched_file_is_edited(self, siffra, programs):
        programs.write("layers.py", "depth = 1")
        asked = (*programs.question(), "--seeds", 2)
        siffra(*asked, "--watch", "layers.py")
        siffra(*asked, "--watch", "layers.py")
        programs.write("layers.py", "depth = 2")
        siffra(*asked, "--watch", "layers.py")

        assert len(programs.made) == 8

    def test_a_decided_claim_costs_no_more_runs(self, siffra, programs):
        # 0.3 is decided at the first look; 0.101 is about a third of the margin away.
        ended = siffra(*programs.question("lr=0.1,0.3,0.107"), "--max-seeds", 10, "--json")

        seeds = [level["n"] for level in levels_of(ended)]
        assert seeds == [10, 5, 10] or seeds == [7, 5, 7]
        assert len(programs.made) == sum(seeds)

    def test_a_budget_of_time_is_kept(self, siffra, programs, monkeypatch):
        monkeypatch.setenv("NAP", "0.1")
        asked = programs.question("lr=0.1,0.109")
        ended = siffra(*asked, "--time", "2s", "--max-seeds", 80)

        assert ended.err.startswith("10 runs.\nThen undecided claims get more seeds")
        assert "up to 2.0 s of training in all." in ended.err
        assert len(programs.made) < 30

    def test_each_gpu_has_a_run_of_its_own(self, siffra, programs, monkeypatch):
        monkeypatch.setenv("NAP", "0.05")
        siffra(*programs.question(), "--gpus", "0,3", "--seeds", 4)

        gpus = [line.split()[-1] for line in programs.made]
        assert sorted(set(gpus)) == ["0", "3"]
        assert gpus.count("0") == gpus.count("3") == 4

    def test_two_processes_share_the_runs(self, programs):
        both = [programs.start(*programs.question(), "--json", NAP="0.1") for _ in range(2)]
        outs = [process.communicate(timeout=300)[0] for process in both]

        assert [process.returncode for process in both] == [0, 0]
        claims = [json.loads(out)["questions"][0]["claims"] for out in outs]
        assert claims[0] == claims[1]
        assert len(programs.made) == len(set(programs.made)) == 10


class TestFailures:
    MODES = ("good", "status", "down", "silent", "nan", "slow", "endless")

    @pytest.fixture
    def asked(self, programs, monkeypatch):
        """Runs have a time that is over, however busy the machine, when one says that it hangs."""

        def hours() -> float:
            return 3600.0 * len(list(programs.folder.glob("*.hangs")))

        clock = SimpleNamespace(monotonic=hours, sleep=time.sleep)
        monkeypatch.setattr("siffra.engine.command.process.time", clock)
        programs.write("bad.py", BAD)
        levels = f"mode={','.join(self.MODES)}"
        return (*programs.question(levels, "bad.py"), "--timeout", "1h")

    def test_the_others_go_on_and_what_failed_is_said(self, siffra, programs, asked):
        ended = siffra(*asked, "--out", "report")

        table = dict(line.split(maxsplit=1) for line in ended.out.split("\n\n")[1].splitlines()[2:])
        failed = {mode: row.partition(" of 5")[0][-1] for mode, row in table.items()}
        assert failed == dict(zip(self.MODES, "0155011", strict=True))
        assert table["nan"].endswith("1 of 5 diverged")
        lines = [
            "mode status: 1 of 5 runs failed (exit 3): out of memory",
            "mode down: 5 of 5 runs failed (exit 1): ModuleNotFoundError: No module named "
            "'no_such_module'",
            "mode silent: 5 of 5 runs failed (no metric `loss`): trained",
            "mode slow: 1 of 5 runs failed (timeout).",
        ]
        assert set(lines) < set(ended.out.splitlines())
        assert "mode status, seed 1 failed (exit 3): out of memory" in ended.err.splitlines()
        for name in ("report.md", "report.html"):
            assert (
                "runs failed (exit 3): out of memory"
                in (programs.folder / "report" / name).read_text()
            )

    def test_no_level_that_failed_is_shown_to_be_alike_or_better(self, siffra, programs, asked):
        ended = siffra(*asked, "--json")
        (question,) = json.loads(ended.out)["questions"]

        verdicts = [(claim["verdict"], claim["grade"]) for claim in question["claims"]]
        open_, refuted = ("inconclusive", None), ("refuted", "likely")
        assert verdicts == [open_, refuted, refuted, open_, open_, open_]

    def test_asked_again_those_that_failed_are_made(self, siffra, programs):
        programs.write("bad.py", BAD)
        asked = programs.question("mode=good,status,nan", "bad.py")
        siffra(*asked)
        first = programs.made
        ended = siffra(*asked)

        assert len(first) == 15
        assert programs.made[15:] == ["status 1"]  # that it diverged is a result
        assert ended.err.startswith("15 runs, 14 of them stored; about ")

    def test_a_curve_that_ends_in_nan_is_stored_as_far_as_it_goes(self, siffra, programs):
        programs.write("bad.py", BAD)
        siffra(*programs.question("mode=good,nan", "bad.py"))

        listed = siffra("runs", "list")
        assert (len(listed.out.splitlines()), listed.err) == (1 + 10, "")
        ended = siffra("runs", "export", "runs.json")
        assert ended.code == 0
        runs = json.loads((programs.folder / "runs.json").read_text())
        (lost,) = [run for run in runs if run["diverged"]]
        assert (lost["curves"], lost["metrics"]) == ({"loss": [[1, 2]]}, {"loss": None})

    @pytest.mark.parametrize("jobs", [1, 3])
    def test_where_all_of_the_first_seed_fail_alike_no_more_are_made(self, siffra, programs, jobs):
        programs.write("down.py", 'open("made.txt", "a").write("made\\n") / 0')
        ended = siffra(*programs.question("lr=1,2,3", "down.py"), "--jobs", jobs)

        assert ended.code == 2
        assert ended.out == ""
        assert ended.err.splitlines()[-1] == (
            "error: all of the first 3 runs failed (exit 1): ZeroDivisionError: division by zero"
        )
        assert len(programs.made) < 3 + 2 * jobs

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("print('loss', sys.argv[1])", "--read"),
            ("print('{\"loss\":', sys.argv[1], '}', file=sys.stderr)", "on stdout, as JSON in"),
            ('print(\'{"loss": "%s"}\' % sys.argv[1])', "is the text '0"),
        ],
    )
    def test_a_metric_that_is_not_found_ends_it_at_once_and_says_where_it_should_be(
        self, siffra, programs, line, why
    ):
        programs.write("other.py", f"import sys; {line}")
        ended = siffra(*programs.question(script="other.py"))

        assert ended.code == 2
        assert why in ended.err.splitlines()[-1]
        assert "all of the first 2 runs failed" in ended.err

    @pytest.mark.parametrize(
        ("line", "advice"),
        [
            ("print('epoch 1 loss=0.5'); print('done')", r'a pattern as --read "loss=([-+.\w]+)"'),
            ("print('loss: 1e-05, lr: 2')", r'a pattern as --read "loss: ([-+.\w]+)"'),
            ("print({'loss': 0.5})", r'a pattern as --read "loss.: ([-+.\w]+)"'),
            ("print('loss=0.5 best_loss=0.4')", "a pattern (--read)"),
            ("print('loss=unknown')", "a pattern (--read)"),
        ],
    )
    def test_a_metric_that_was_printed_otherwise_comes_with_the_pattern_that_reads_it(
        self, siffra, programs, line, advice
    ):
        programs.write("other.py", line)
        said = siffra(*programs.question(script="other.py")).err.splitlines()[-1]

        assert said.endswith(advice)
        if '"' in advice:
            pattern = advice.split('"')[1]
            assert siffra(*programs.question(script="other.py"), "--read", pattern).code == 0

    def test_none_has_a_result(self, siffra, programs):
        """Where they fail in different ways, that is what they show."""
        programs.write("down.py", "import sys; sys.exit(int(sys.argv[1]))")
        asked = programs.question("lr=1,2", "down.py")
        ended = siffra(*asked, "--max-seeds", 20)

        assert ended.code == 0
        assert ended.out.startswith("No run has a result. With lr 1 and 2, 10 of 10 runs failed.\n")
        assert "loss: ∘" not in ended.out  # there is nothing to plot
        assert siffra(*asked, "--check").code == 4

    def test_a_level_that_always_fails_is_a_finding_whenever_it_is_run(self, siffra, programs):
        programs.write("half.py", "import sys; print('{\"loss\": %d}' % (1 / (sys.argv[1] > '1')))")
        for levels in ("lr=1,2", "lr=2,1", "lr=1,2,3"):  # each has an order of its own
            ended = siffra(*programs.question(levels, "half.py"))
            assert ended.code == 0
            assert "lr 1: 5 of 5 runs failed (exit 1): ZeroDivisionError" in ended.out


class TestMetricThatIsNotThere:
    SAID = "error: no metric `val_loss`; the training gave loss"

    def ask(self, siffra, programs, metric, script="train.py"):
        words = programs.question(script=script)
        return siffra(*(word.replace("loss:lower", f"{metric}:lower") for word in words))

    def test_the_first_run_shows_it(self, siffra, programs):
        ended = self.ask(siffra, programs, "val_loss")

        assert (ended.code, ended.out) == (2, "")
        assert ended.err.splitlines()[-1] == f"{self.SAID}."
        assert len(programs.made) == 1

    def test_no_stored_run_has_failed_for_that_and_none_is_lost(self, siffra, programs):
        before = self.ask(siffra, programs, "loss")
        ended = self.ask(siffra, programs, "val_loss")

        assert (ended.code, ended.out) == (2, "")
        assert self.SAID in ended.err
        assert len(programs.made) == 11
        assert self.ask(siffra, programs, "loss").out == before.out
        assert len(programs.made) == 11

    def test_one_in_an_object_of_its_own_is_there_once_it_is_asked_for(self, siffra, programs):
        programs.write(
            "both.py",
            "import json, sys\n"
            "open('made.txt', 'a').write('made\\n')\n"
            "for name in 'loss', 'acc':\n"
            "    print(json.dumps({name: float(sys.argv[1])}))\n",
        )
        made = []
        for metric in ("loss", "acc", "loss"):
            assert self.ask(siffra, programs, metric, "both.py").code == 0
            made.append(len(programs.made))

        assert made == [10, 20, 20]  # runs that were asked for both keep both

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["--command", "nowhere {lr} {seed}"], "found no program `nowhere`"),
            (["--command", "true {lr}"], "has no `{seed}`"),
            (["--metric", "loss"], "say which values are better, as loss:lower or :higher"),
            (["--margin", "nan"], "margin: found nan"),
            (["--margin", "0,005"], "it must be a number, with a point: 0.005."),
            (["--metric", "loss:lower,margin=0,01"], "number above 0, with a point: 0.01."),
            (
                ["--metric", "loss:lower,acc:higher"],
                "give each on its own: --metric loss:lower --metric acc:higher",
            ),
            (["--timeout", "0"], "timeout: found '0'"),
            (["--watch", "nowhere"], "watch: found no file or folder `nowhere`"),
            (["--read", "("], "read: found `(`, no regular expression"),
            (["--jobs", "2", "--gpus", "0"], "leave out jobs"),
            (["--engine", "torch"], "engine: it means nothing to a program"),
            (["--threads", "2"], "threads: it means nothing to a program"),
            (["--neurons", "4"], "neurons: siffra's knobs mean nothing to a program"),
            (["--recipe", "digits-5s"], "recipe: it means nothing to a program"),
        ],
    )
    def test_a_mistake_is_a_line(self, siffra, programs, words, said):
        ended = siffra(*programs.question(), *words)

        assert ended.code == 2
        assert said in ended.err
        assert ended.err.count("\n") == 1
        assert programs.made == []

    def test_a_script_that_is_edited_meanwhile(self, programs):
        process = programs.start(*programs.question(), NAP="0.3")
        wait_until(lambda: programs.stored >= 1)
        programs.write("train.py", "print(1)")
        _, err = process.communicate(timeout=300)

        assert process.returncode == 2
        assert "error: command: `train.py` has changed since the first run; run the same" in err

    def test_a_watched_file_that_runs_write(self, siffra, programs):
        ended = siffra(*programs.question(), "--watch", ".")

        assert ended.code == 2
        assert "`made.txt` has changed since the first run" in ended.err
        assert "What runs write must not be watched." in ended.err


class TestProgress:
    @pytest.fixture(autouse=True)
    def often(self, monkeypatch):
        for gap in ("SOONEST", "UNKNOWN", "LATEST"):
            monkeypatch.setattr(f"siffra.cli.progress.{gap}", 0.0)

    def test_epochs_are_shown_and_the_time_left_once_something_is_known(
        self, siffra, programs, monkeypatch
    ):
        monkeypatch.setenv("NAP", "0.3")
        ended = siffra(*programs.question(), "--seeds", 2)
        first, *lines = ended.err.splitlines()

        assert first == "4 runs."
        before = [line for line in lines if line.startswith("0/4 runs; ")]
        assert any(re.search(r" seed 0: epoch [123], loss 2\.\d+$", line) for line in before)
        # Nothing is known by then of how long a run takes.
        assert not any(" left" in line for line in before)
        assert any(re.match(r"1/4 runs, \d\.\d s left; lr ", line) for line in lines)

    def test_the_time_is_known_from_runs_that_are_stored(self, siffra, programs):
        siffra(*programs.question(), "--seeds", 2)
        ended = siffra(*programs.question(), "--seeds", 3)
        assert ended.err.startswith("6 runs, 4 of them stored; about 0.")


@ON_LINUX
class TestEnds:
    @pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGKILL"])
    def test_no_process_is_left_and_what_is_stored_stays(self, programs, number):
        asked = (*programs.question(), "--jobs", "2")
        process = programs.start(*asked, NAP="0.2")
        wait_until(lambda: programs.stored >= 2)
        process.send_signal(getattr(signal, number))
        _, err = process.communicate(timeout=300)
        stored = programs.stored

        wait_until(lambda: not programs.living())
        assert process.returncode != 0
        if number != "SIGKILL":
            assert process.returncode == 128 + getattr(signal, number)
            assert err.splitlines()[-1].startswith("Stopped: ")
        made = len(programs.made)
        again = programs.start(*asked)
        assert again.communicate(timeout=300)
        assert again.returncode == 0
        assert len(programs.made) - made == 10 - stored

    @pytest.mark.parametrize("seed", range(8))
    def test_it_is_killed_at_any_moment(self, programs, seed):
        expect_nothing_lost(programs, random.Random(seed))


class TestStore:
    """What else is done with stored runs takes those of programs as they are."""

    @pytest.fixture
    def run(self, siffra, programs):
        programs.write("bad.py", BAD)
        siffra(*programs.question("mode=good,status,nan", "bad.py"), "--seeds", 3)
        siffra(*programs.question(), "--seeds", 2)
        siffra("train", "--epochs", 1, "--neurons", 4, "--threads", 1)
        return siffra

    def test_nothing_fails(self, run):
        for words in (
            ("list",),
            ("list", "--json"),
            ("labs",),
            ("sql", "select * from run"),
            ("export", "runs.csv"),
            ("export", "runs.parquet"),
            ("export", "runs.json"),
            ("export", "epochs.csv", "--table", "epochs"),
            ("export", "confusion.csv", "--table", "confusion"),
        ):
            ended = run("runs", *words)
            assert (ended.code, ended.err) == (0, ""), words

    def test_they_are_listed_and_shown(self, run):
        lines = run("runs", "list", "--model", "external").out.splitlines()[1:]
        failed = next(line for line in lines if "mode=status" in line and " exit 3 " in line)
        good = next(line for line in lines if "lr=0.3" in line)

        assert len(lines) == 13
        assert failed.split()[4:7] == ["1", "exit", "3"]
        assert f"{Path(sys.executable).name} train.py lr=0.3 " in good
        assert re.search(r" loss \d\.\d+ ", good)
        shown = run("runs", "show", failed.split()[0]).out
        assert "failed      exit 3" in shown
        assert shown.splitlines()[-1] == "out of memory"
        shown = run("runs", "show", good.split()[0]).out
        assert "metric loss" in shown
        assert [line.split()[0] for line in shown.splitlines()[-4:]] == ["epoch", "1", "2", "3"]
