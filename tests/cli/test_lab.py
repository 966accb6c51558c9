"""`siffra lab` and `siffra report`: from a lab file to a report, stopped and gone on with."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from small_lab import timeless

from siffra.cli.options import Language, Preset
from siffra.lab.plan.presets import PRESETS
from siffra.report.text.messages import LANGUAGES
from siffra.store.store import open_store

LAB = """
title = "Bars"

[data]
path = "own.npz"
moved = 2.0

[base]
batch_size = 9
learning_rate = 0.1
epochs = 2

[[questions]]
id = "rate"
ask = "How large may a step be?"
vary = { learning_rate = [0.001, 0.1] }

[[questions.claims]]
id = "larger"
say = "A larger step learns more."
level = { learning_rate = 0.1 }
against = { learning_rate = 0.001 }
direction = "better"

[[questions]]
id = "width"
ask = "How many neurons?"
vary = { neurons = [4, 32] }

[[experiments]]
id = "best"
name = "Our best"
knobs = { neurons = [16, 8] }
"""
ONE = ("--threads", "1")  # runs so small are over sooner without company
# Seeds x (two rates + two widths - one shared + one experiment).
RUNS_PER_SEED = 4


@pytest.fixture
def lab(own_data, tmp_path):
    (tmp_path / "own.npz").symlink_to(own_data)
    path = tmp_path / "bars.toml"
    path.write_text(LAB, encoding="utf-8")
    return path


def test_it_answers_every_question_and_writes_a_report(siffra, lab, tmp_path):
    out = tmp_path / "report"

    ended = siffra("lab", lab, *ONE, "--seeds", 3, "--out", out)

    assert ended.code == 0
    assert ended.err.startswith(f"{3 * RUNS_PER_SEED} runs; about ")
    assert "How large may a step be?" in ended.out
    assert "Its only claim: " in ended.out
    assert ended.out.endswith(f"report: {out / 'report.html'}\n")
    found = json.loads((out / "results.json").read_text("utf-8"))
    assert [question["id"] for question in found["questions"]] == ["rate", "width"]
    assert {"report.html", "report.md", "runs.csv", "runs.parquet", "figures"} <= set(
        os.listdir(out)
    )


def test_json_prints_the_results_and_nothing_else(siffra, lab, tmp_path):
    out = tmp_path / "report"

    ended = siffra("lab", lab, *ONE, "--seeds", 2, "--only", "rate", "--json", "--out", out)

    assert json.loads(ended.out) == json.loads((out / "results.json").read_text("utf-8"))


def test_a_report_says_whose_lab_it_is(siffra, lab, tmp_path):
    said = 'author = "Ada <b>"\ncourse = { en = "CS 1", sv = "DA 1" }\ndate = 2026-11-30\n'
    lab.write_text(said + LAB, encoding="utf-8")

    ended = siffra("lab", lab, *ONE, "--seeds", 1, "--lang", "sv", "--out", tmp_path / "report")

    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "Ada &lt;b&gt;, DA 1, 2026-11-30" in page
    assert "*Ada &lt;b&gt;, DA 1, 2026-11-30*" in (tmp_path / "report" / "report.md").read_text()
    assert "Ada <b>, DA 1, 2026-11-30" in ended.out
    found = json.loads((tmp_path / "report" / "results.json").read_text("utf-8"))
    assert [found[key] for key in ("author", "course", "date")] == ["Ada <b>", "DA 1", "2026-11-30"]


def test_with_check_the_exit_code_is_the_verdict(siffra, lab, tmp_path):
    asked = ("lab", lab, *ONE, "--out", tmp_path / "report", "--check")

    assert siffra(*asked, "--seeds", 2, "--only", "rate").code == 4  # too few to decide anything
    assert siffra(*asked, "--seeds", 0).code == 2  # a mistake is one with --check, too


def test_dry_run_tells_the_cost_and_trains_nothing(siffra, lab, tmp_path):
    siffra("lab", lab, *ONE, "--seeds", 2, "--only", "rate", "--out", tmp_path / "report")
    before = siffra("runs", "list", "--json").out

    ended = siffra("lab", lab, *ONE, "--seeds", 3, "--dry-run")
    told = json.loads(siffra("lab", lab, *ONE, "--seeds", 3, "--dry-run", "--json").out)

    assert (told["runs"], told["stored"]) == (3 * RUNS_PER_SEED, 4)
    assert told["parts"] == {
        "rate": {"runs": 6, "stored": 4},
        "width": {"runs": 6, "stored": 2},
        "experiments": {"runs": 3, "stored": 0},
    }
    assert told["seconds"] > 0
    assert "12 runs, 4 of them stored; about " in ended.out
    assert siffra("runs", "list", "--json").out == before


def test_a_budget_that_the_first_seeds_exceed_is_said_to_be(siffra, lab):
    short = siffra("lab", lab, *ONE, "--time", "0.001", "--dry-run").out
    long = siffra("lab", lab, *ONE, "--time", "1h", "--dry-run").out

    assert (
        "for a first look at everything, with 5 seeds; the budget of 0.0 s goes to the claims"
        in short
    )
    assert "up to 60 min of training in all" in long
    assert "15 runs; about 60 min" not in long
    assert " of training for the first look" in long


def test_a_budget_that_does_not_last_is_kept_and_what_there_was_no_time_for_is_said(
    siffra, lab, tmp_path
):
    # Convolutions take many times as long as what else there is, and nothing is like them.
    heavy = """
[[questions]]
id = "heavy"
ask = "Do filters help?"
vary = { filters = [400, 800] }
fixed = { model = "conv", epochs = 40, conv_layers = 2, kernel_size = 3 }

[[questions.claims]]
id = "more"
say = "More filters help."
level = { filters = 800 }
against = { filters = 400 }
direction = "better"
"""
    lab.write_text(f"{LAB}{heavy}", encoding="utf-8")
    arguments = (lab, "--time", "2s", "--out", tmp_path / "report")

    ended = siffra("lab", *arguments, *ONE, "--jobs", 1)
    again = siffra("lab", *arguments, *ONE, "--jobs", 1, "--dry-run")
    written = siffra("report", *arguments)
    result = json.loads((tmp_path / "report" / "results.json").read_text("utf-8"))

    assert "goes to the claims that are decided soonest" in ended.err
    assert "There was not enough time for a first look at everything" in ended.out
    assert "The budget of 2.0 s is too short for the first 5 seeds of everything" in again.out
    assert "nothing is trained. Use --time " in again.out
    assert "report.html" in written.out
    rate, _, heavy_one = result["questions"]
    assert rate["claims"][0]["n"] >= 5
    assert heavy_one["claims"][0]["reason"] == "no time"
    assert result["missing"] == 0


def test_a_lab_of_ones_own_is_cut_only_by_a_preset_that_is_asked_for_and_is_told(siffra, lab):
    lab.write_text(LAB.replace("epochs = 2", "epochs = 20"), encoding="utf-8")
    cut = "Training is shortened from 20 epochs to 3 by preset quick; --preset full runs all."

    plain = siffra("lab", lab, *ONE, "--dry-run")
    quick = siffra("lab", lab, *ONE, "--preset", "quick", "--dry-run")
    told = json.loads(siffra("lab", lab, "--preset", "quick", "--dry-run", "--json").out)

    assert "cut" not in plain.out
    assert quick.out.endswith(f"{cut}\n")
    assert (told["preset"], told["shortened"]) == ("quick", cut)


def test_it_is_told_wherever_the_answers_are(siffra, lab, tmp_path):
    lab.write_text(LAB.replace("epochs = 2", "epochs = 3"), encoding="utf-8")
    out = tmp_path / "report"
    arguments = ("lab", lab, *ONE, "--seeds", 2, "--only", "rate", "--out", out)

    ended = siffra(*arguments, "--epochs", 1)

    cut = "Training is shortened from 3 epochs to 1 by --epochs 1."
    assert cut in ended.err
    assert ended.out.startswith(cut)
    assert "Not tested at this length" in ended.out
    assert json.loads((out / "results.json").read_text("utf-8"))["shortened"]["text"] == cut
    for name in ("report.html", "report.md"):
        assert cut in (out / name).read_text("utf-8")
    swedish = json.loads(siffra(*arguments, "--epochs", 1, "--lang", "sv", "--json").out)
    assert swedish["shortened"]["text"].startswith("Träningen förkortas från 3 epoker till 1 av")


def test_a_report_says_of_which_preset_the_runs_are_there(siffra, lab, tmp_path):
    lab.write_text(LAB.replace("epochs = 2", "epochs = 4"), encoding="utf-8")
    options = ("--seeds", 1, "--only", "rate", "--out", tmp_path / "report")
    siffra("lab", lab, *ONE, *options, "--preset", "quick")

    ended = siffra("report", lab, *options)

    assert ended.code == 2
    assert ended.err.endswith("makes the others; those of --preset quick are all there.\n")
    assert siffra("report", lab, *options, "--preset", "quick").code == 0


def test_fresh_makes_every_run_anew(siffra, lab, tmp_path):
    arguments = ("lab", lab, *ONE, "--seeds", 2, "--only", "rate", "--out", tmp_path / "report")
    siffra(*arguments)
    assert siffra(*arguments).err == "4 runs, 4 of them stored.\n"

    before = json.loads(siffra("runs", "list", "--json").out)
    told = json.loads(siffra(*arguments, "--fresh", "--dry-run", "--json").out)
    assert (told["stored"], told["parts"]["rate"]["stored"]) == (0, 0)
    assert json.loads(siffra("runs", "list", "--json").out) == before

    assert siffra(*arguments, "--fresh").err.startswith("4 runs; about ")
    after = json.loads(siffra("runs", "list", "--json").out)
    assert {run["key"] for run in after} == {run["key"] for run in before}
    assert not {run["finished"] for run in after} & {run["finished"] for run in before}


def test_a_fresh_lab_that_is_stopped_keeps_what_was_stored(siffra, lab, tmp_path, monkeypatch):
    arguments = ("lab", lab, *ONE, "--seeds", 2, "--only", "rate", "--out", tmp_path / "report")
    siffra(*arguments)
    before = siffra("runs", "list", "--json").out

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("siffra.lab.execute.trainer.run", interrupted)
    ended = siffra(*arguments, "--fresh")

    assert ended.code == 130
    assert ended.err.endswith(
        "Stopped: 0 of 4 runs repeated. The stored results of the other 4 are kept.\n"
    )
    assert siffra("runs", "list", "--json").out == before


def test_where_no_report_can_be_written_nothing_is_trained(siffra, lab, tmp_path):
    (tmp_path / "taken").write_text("")

    ended = siffra("lab", lab, *ONE, "--seeds", 2, "--out", tmp_path / "taken")

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert json.loads(siffra("runs", "list", "--json").out) == []


def test_report_is_written_again_from_what_is_stored(siffra, lab, tmp_path):
    siffra("lab", lab, *ONE, "--seeds", 2, "--out", tmp_path / "report")

    ended = siffra("report", lab, "--seeds", 2, "--lang", "sv", "--out", tmp_path / "rapport")

    assert ended.code == 0
    assert 'lang="sv"' in (tmp_path / "rapport" / "report.html").read_text("utf-8")


def test_what_looks_like_markup_is_shown_as_it_is(siffra, lab, tmp_path):
    text = lab.read_text("utf-8")
    asked = tmp_path / "asked.toml"
    first = text.index("ask")
    line = text[first : text.index("\n", first)]
    asked.write_text(text.replace(line, 'ask = "Is [/b] [bold]this[/bold] :smile: better?"', 1))

    ended = siffra("lab", asked, *ONE, "--seeds", 1, "--dry-run")

    assert ended.code == 0
    assert "Is [/b] [bold]this[/bold] :smile: better?" in ended.out


def test_it_speaks_the_reports_language(siffra, lab, tmp_path):
    options = (*ONE, "--seeds", 2, "--lang", "sv")

    ended = siffra("lab", lab, *options, "--only", "rate,width", "--out", tmp_path / "rapport")
    plan = siffra("lab", lab, *options, "--dry-run")

    assert ended.out.startswith("Bars\n\n(rate) ")
    assert "\nDet enda påståendet: " in ended.out
    assert "Noggrannhet på testmängden:\n" in ended.out
    assert "experimenten" in plan.out
    assert plan.out.split("\n")[0].split() == ["fråga", "körningar", "lagrade"]
    assert "Körningar som flera frågor delar görs en gång. Totalt:\n" in plan.out
    assert "av dem lagrade" in plan.out
    assert ended.out.endswith(f"rapport: {tmp_path / 'rapport' / 'report.html'}\n")
    assert re.match(r"\d+ körningar; ungefär [\d,]+ s träning\.\n", ended.err)


def test_report_trains_nothing(siffra, lab, tmp_path):
    siffra("lab", lab, *ONE, "--seeds", 2, "--only", "rate", "--out", tmp_path / "report")

    ended = siffra("report", lab, "--seeds", 2, "--out", tmp_path / "again")

    assert ended.code == 2
    assert f"4 of this lab's {2 * RUNS_PER_SEED} runs are stored" in ended.err
    assert not (tmp_path / "again").exists()


def test_with_looks_its_report_is_written_again_with_the_same_options(siffra, lab, tmp_path):
    def reported(name: str, *options: object) -> Any:
        ended = siffra("report", lab, *options, "--out", tmp_path / name)
        assert ended.code == 0, ended.err
        return json.loads((tmp_path / name / "results.json").read_text("utf-8"))

    looks = ("--max-seeds", 10)
    siffra("lab", lab, *ONE, "--seeds", 2, "--out", tmp_path / "two")
    early = siffra("report", lab, *looks, "--out", tmp_path / "early")
    siffra("lab", lab, *ONE, "--seeds", 5, "--out", tmp_path / "five")
    first = reported("first", *looks)
    ended = siffra("lab", lab, *ONE, *looks, "--out", tmp_path / "all", "--json")

    # The runs of the first look are needed; of later ones it is what there is.
    assert early.code == 2
    assert f"8 of this lab's {5 * RUNS_PER_SEED} runs are stored" in early.err
    assert first["runs"] == 5 * RUNS_PER_SEED
    assert timeless(reported("again", *looks)) == timeless(json.loads(ended.out))


def test_a_mistake_in_a_lab_file_is_one_line(siffra, lab):
    lab.write_text(LAB.replace("batch_size", "bacth_size"), encoding="utf-8")

    ended = siffra("lab", lab)

    assert ended.code == 2
    assert ended.err == (
        "error: bars.toml: base.bacth_size: no such knob; did you mean `batch_size`?\n"
    )


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (["bars.toml"], "LAB.toml"),
        (["--preset", "full"], "--preset"),
        (["--only", "a", "--seeds", 3], "--seeds, --only"),
        (["--store", "x.sqlite"], "--store"),
    ],
)
def test_a_comparison_refuses_what_it_has_no_use_for(siffra, tmp_path, given, named):
    ended = siffra("report", *given, "--compare", tmp_path / "a", tmp_path / "b")

    assert ended.code == 2
    assert ended.err == (
        f"error: --compare sets reports side by side as they are; leave out {named}.\n"
    )


def test_a_fault_in_a_recipe_is_told_with_the_recipe_s_name(siffra, lab, tmp_path):
    (tmp_path / "mine.toml").write_text("[knobs]\naugment = 'mov'\n", encoding="utf-8")
    lab.write_text(
        LAB + "\n[[experiments]]\nid = 'x'\nname = 'x'\nknobs = { recipe = 'mine.toml' }\n",
        encoding="utf-8",
    )

    ended = siffra("lab", lab, "--dry-run")

    assert ended.code == 2
    assert "recipe mine.toml: knobs.augment: found 'mov'; did you mean `move`?" in ended.err


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to another process")
def test_ctrl_c_says_how_to_go_on_and_loses_nothing(siffra, lab, tmp_path):
    store = tmp_path / "runs.sqlite"
    # Long enough to be stopped in the middle, wherever it is run.
    command = [
        "lab",
        str(lab),
        *ONE,
        "--seeds",
        "2",
        "--epochs",
        "4000",
        "--out",
        str(tmp_path / "out"),
        "--check",
    ]
    with subprocess.Popen(
        [sys.executable, "-m", "siffra", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"SIFFRA_STORE": str(store)},
    ) as process:
        deadline = time.monotonic() + 300
        while stored(siffra, store) < 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=300)

    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    told = err.splitlines()[-1]
    kept = stored(siffra, store)
    assert told == (
        f"Stopped: {kept} of 8 runs stored. Rerun the same command to finish the other {8 - kept}."
    )
    assert f"8 runs, {kept} of them stored; about " in siffra(*command, "--dry-run").out


def stored(siffra, store) -> int:
    ended = siffra("runs", "list", "--json", "--store", store)
    return len(json.loads(ended.out)) if ended.code == 0 else 0


def test_the_choices_are_those_that_the_pieces_below_know():
    assert [each.value for each in Preset] == list(PRESETS)
    assert [each.value for each in Language] == list(LANGUAGES)


def test_several_jobs_find_the_same(siffra, lab, tmp_path):
    def found(*options: object) -> Any:
        out = tmp_path / f"report{len(options)}"
        told = siffra("lab", lab, *ONE, "--seeds", 2, "--out", out, *options)
        assert told.code == 0, told.err
        return json.loads((out / "results.json").read_text("utf-8"))

    alone = found()
    shared = found("--jobs", 2, "--store", tmp_path / "other.sqlite")

    assert timeless(shared) == timeless(alone)
    assert (alone["machine"]["jobs"], shared["machine"]["jobs"]) == (1, 2)
    assert shared["command"].endswith("--seeds 2")
    rows = (tmp_path / "report4" / "runs.csv").read_text("utf-8").splitlines()
    assert rows[0].split(",").index("jobs") == rows[0].split(",").index("threads") + 1


def test_how_many_at_once_is_told_before(siffra, lab):
    told = siffra("lab", lab, "--seeds", 2, "--jobs", 2, "--dry-run")

    assert told.out.rstrip().endswith("of training, 2 runs in parallel.")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--on", "mars"], "on: found 'mars'; it must be here, ray, ray://host:port or auto."),
        (["--alone"], "alone: is for a cluster"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused(siffra, lab, options, message):
    ended = siffra("lab", lab, *options)

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert message in ended.err


def test_a_dry_run_makes_no_store_and_writes_none(siffra, lab, tmp_path):
    store = tmp_path / "runs.sqlite"
    told = siffra("lab", lab, "--dry-run").out

    assert "runs" in told
    assert not store.exists()
    with open_store(store):
        pass
    store.chmod(0o444)
    before = store.read_bytes()
    assert siffra("lab", lab, "--dry-run").out == told
    assert store.read_bytes() == before


def test_a_report_makes_no_store(siffra, lab, tmp_path):
    ended = siffra("report", lab, "--store", tmp_path / "typo.sqlite", "--out", tmp_path / "out")

    assert ended.code == 2
    assert "typo.sqlite: no such store, so 0 of this lab's" in ended.err
    assert not list(tmp_path.glob("typo*"))
