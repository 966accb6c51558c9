"""`siffra judge`: a table of runs in, an answer out; nothing is trained."""

import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Eight runs at each of three rates: the second is better, the third is like the first."""
    rng = random.Random(1)
    rows = [
        f"{lr},{seed},{rng.gauss(mean, 0.01):.4f},{rng.gauss(90, 0.5):.1f}"
        for lr, mean in ((0.1, 0.3), (0.3, 0.2), (1, 0.3))
        for seed in range(8)
    ]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["lr,seed,val_loss,acc", *rows]))
    return path


def test_a_file_is_all_it_needs(siffra, runs):
    ended = siffra("judge", runs, "--metric", "val_loss")

    assert ended.code == 0
    assert "lower with lr 0.3 than with 0.1" in ended.out
    assert "What these runs cannot show:" in ended.out
    assert all(line.startswith("note: ") for line in ended.err.splitlines())
    assert "note: `seed` is taken for the seed" in ended.err


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--where", "lr in 0.1, 0.3"), 0),
        (("--where", "lr in 0.1, 0.3", "--baseline", "lr=0.3"), 3),
        ((), 4),
    ],
)
def test_with_check_the_exit_code_is_the_verdict(siffra, runs, options, code):
    question = ("judge", runs, "--metric", "val_loss:lower", *options)

    assert siffra(*question, "--check").code == code
    assert siffra(*question).code == 0


def test_its_json_is_the_reports_own(siffra, runs, tmp_path):
    ended = siffra("judge", runs, "--metric", "val_loss", "--out", tmp_path / "out", "--json")

    printed = json.loads(ended.out)
    written = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))
    for question in (*printed["questions"], *written["questions"]):
        for drawn in ("figures", "figures_text"):
            question.pop(drawn)
    assert printed == written


@pytest.mark.parametrize(
    ("language", "worse", "summary"),
    [
        ("en", "worse", "The only comparison: worse."),
        ("sv", "sämre", "Den enda jämförelsen: sämre."),
    ],
)
def test_where_nothing_is_claimed_it_says_what_is_the_case(
    siffra, runs, tmp_path, language, worse, summary
):
    question = ("judge", runs, "--metric", "val_loss:lower", "--where", "lr in 0.1, 0.3")
    asked = (*question, "--baseline", "lr=0.3", "--lang", language, "--out", tmp_path / "report")
    printed = siffra(*asked).out
    markdown, page, results = (
        (tmp_path / "report" / name).read_text("utf-8")
        for name in ("report.md", "report.html", "results.json")
    )

    assert f"\n{worse.capitalize()}: val_loss, lr 0" in printed
    assert f"- **{worse}**: val\\_loss, lr 0" in markdown
    assert f'<span class="badge refuted">{worse}</span>' in page
    assert summary in markdown
    assert summary in page
    for text in (printed, markdown):
        assert not re.search(r"efuted|otsägs|lr 0[.,]\d is better|är bättre än lr", text)
    assert [claim["verdict"] for claim in json.loads(results)["questions"][0]["claims"]] == [
        "refuted"
    ]


def test_a_metric_that_is_not_asked_for_is_said_to_be_that(siffra, runs):
    ended = siffra("judge", runs, "--metric", "val_loss")

    assert "note: not asked for: `acc`" in ended.err.splitlines()
    assert "no plain numbers" not in ended.err


def test_several_metrics_are_each_said_to_be_judged(siffra, runs):
    told = siffra("judge", runs, "--metric", "acc", "--metric", "val_loss:lower").err.splitlines()

    assert "note: judged by `acc`: higher is better" in told
    assert "note: judged by `val_loss`: lower is better" in told
    assert not any("other metrics" in line for line in told)


def test_lists_may_be_given_one_by_one(siffra, tmp_path):
    rows = [
        f"{lr},{wd},{seed},{fold},{lr + wd + seed / 100 + fold / 1000 + lr * seed / 1e4:.6f}"
        for lr in (0.1, 0.3)
        for wd in (1, 2)
        for seed in range(3)
        for fold in range(2)
    ]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["lr,wd,seed,fold,loss", *rows]))

    at_once = siffra("judge", path, "--by", "lr,wd", "--pair-by", "seed,fold")
    one_by_one = ("--by", "lr", "--by", "wd", "--pair-by", "seed", "--pair-by", "fold")

    assert at_once.code == 0
    assert siffra("judge", path, *one_by_one) == at_once


def test_a_program_is_no_table(siffra, tmp_path):
    script = tmp_path / "train.py"
    script.write_text("import json, sys\nprint(json, sys)\n")
    ended = siffra("judge", script)

    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "train.py: a program is no table of runs" in ended.err


def test_several_metrics_are_one_family(siffra, runs):
    metrics = ("--metric", "val_loss:lower", "--metric", "acc:higher")
    claims = json.loads(siffra("judge", runs, *metrics, "--json").out)["questions"][0]["claims"]

    assert [(claim["metric"], claim["level"]) for claim in claims] == [
        ("val_loss", [1]),
        ("val_loss", [2]),
        ("acc", [1]),
        ("acc", [2]),
    ]
    # Those that are still open share the error rate that is left.
    assert claims[2]["confidence"] > 0.95


def test_an_earlier_report_may_be_the_baseline(siffra, runs, tmp_path):
    siffra("judge", runs, "--metric", "val_loss", "--out", tmp_path / "main")
    new = tmp_path / "new.csv"
    new.write_text("seed,val_loss\n" + "\n".join(f"{n},0.25{n}" for n in range(8)))
    asked = ("judge", new, "--baseline", tmp_path / "main" / "results.json", "--check")

    assert siffra(*asked, "--baseline", "lr=0.1").code == 0
    assert siffra(*asked, "--baseline", "lr=0.3").code == 3
    unsaid = siffra(*asked)
    assert (unsaid.code, unsaid.err.count("\n")) == (2, 1)
    assert "3 levels may be the baseline" in unsaid.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--by", "rate"), "--by: no column `rate`"),
        (("--seed", "sed"), "did you mean `seed`?"),
        (("--metric", "val_los:lower"), "did you mean `val_loss`?"),
        (("--by", "lr", "--metric", "seed"), "is higher or lower `seed` better?"),
        (("--metric", "val_loss:down"), "found `val_loss:down`; write `val_loss:lower`"),
        (("--metric", "val_loss:minimize"), "write `val_loss:lower`"),
        (("--metric", "acc:max"), "write `acc:higher`"),
        (("--metric", "acc=Higher"), "write `acc:higher`"),
        (("--metric", "acc:good"), "write `acc:lower` or `acc:higher`"),
        (("--metric", "acc:higher,margn=1"), "write `acc:higher`"),
        (("--baseline", "lr=7"), "no level has lr = 7; it must be one of: lr = 0.1"),
        (("--baseline", "lr"), "write it as lr=0.1"),
        (("--where", "lr > 9"), "no row"),
        (("--margin", "-1"), "it must be a number above 0"),
    ],
)
def test_a_mistake_is_one_line(siffra, runs, options, told):
    ended = siffra("judge", runs, *options)

    assert ended.code == 2
    assert ended.out == ""
    assert ended.err.count("\n") == 1
    assert told in ended.err


def test_swedish(siffra, runs):
    ended = siffra("judge", runs, "--metric", "val_loss", "--lang", "sv")

    assert "Vad dessa körningar inte kan visa:" in ended.out
    assert "lr 0,3" in ended.out


def test_nothing_is_loaded_that_draws_trains_or_writes_pages(runs):
    """Matplotlib and Numba take longer to import than the rest takes altogether."""
    program = (
        "import sys; from siffra.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "finally: print({'matplotlib', 'numba', 'jinja2'} & {*sys.modules}, file=sys.stderr)"
    )
    for option in ("--lang=en", "--json"):
        command = [sys.executable, "-c", program, "judge", str(runs), "--metric=val_loss", option]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.stderr.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--by", "rate"), "--by: det finns ingen kolumn `rate`"),
        (("--baseline", "lr=7"), "ingen nivå har lr = 7"),
        (("--metric", "acc:max"), "hittade `acc:max`; skriv `acc:higher`"),
    ],
)
def test_a_mistake_is_said_in_swedish(siffra, runs, options, told):
    ended = siffra("judge", runs, *options, "--lang", "sv")

    assert ended.code == 2
    assert told in ended.err
