"""What each ingredient of a recipe adds: in a sentence, a table and the data, from made-up runs."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import scipy.stats
from made_runs import SETS, make_claim, make_level, make_plan, make_question, make_record
from report.fake_answers import answer_sentence, make_timings

from siffra.config import Setting
from siffra.config.recipes import find_recipe
from siffra.config.setting import override
from siffra.lab.answers import answer
from siffra.report.build import build
from siffra.report.build_question import build_question
from siffra.report.render.notebook import lab_html
from siffra.report.render.report import write_report
from siffra.report.render.terminal import lab_text
from siffra.report.text.ingredients import ingredients
from siffra.report.text.messages import words_in
from siffra.report.text.tables import added_table

SEEDS = range(5)
NOISE = (0, 0.0002, -0.0001, 0.0001, -0.0002)
RECIPE = {"recipe": "digits-5s"}
WHOLE = {"test": 0.99, "moved": 0.97, "rotated": 0.98}
NESTEROV = {"optimizer": "nesterov", "momentum": 0.9, "learning_rate": 0.15}
# What each lacks, how accurate it is and how long it trains.
LACKING = [
    ({"augment": "none"}, {"test": 0.994, "moved": 0.49, "rotated": 0.94}, 4.0),
    (NESTEROV, WHOLE, 3.0),
    ({"label_smoothing": 0.0}, WHOLE, 4.02),
]


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\u2007", "").replace("\u2008", "")


def level(knobs):
    changes = {knob: value for knob, value in knobs.items() if knob != "recipe"}
    setting = Setting.from_knobs(override({**find_recipe("digits-5s").knobs, "epochs": 1}, changes))
    return make_level(knobs, setting)


def asked(lacking=LACKING, claims=(), seeds: Sequence[int] = SEEDS, whole=RECIPE):
    """The answers to what the recipe owes to each ingredient."""
    made = [(whole, WHOLE, 4.0)] + [({**whole, **knobs}, *seen) for knobs, *seen in lacking]
    levels = [level(knobs) for knobs, *_ in made]
    records = {
        (each.settings[0], seed): make_record(
            each.settings[0],
            seed,
            # Noise of its own at each level: no two differ by the same in every seed.
            accuracy={name: a + NOISE[(seed * (i + 1)) % 5] for name, a in accuracy.items()},
            epoch_seconds=seconds + 10 * NOISE[(seed + i) % 5],
        )
        for (i, (each, (_, accuracy, seconds))), seed in product(
            enumerate(zip(levels, made, strict=True)), seeds
        )
    }
    question = make_question(levels, claims)
    vary = tuple(dict.fromkeys(knob for each in levels for knob in each.knobs))
    plan = make_plan(replace(question, vary=vary, figures=("levels",)), seeds=seeds)
    timings = make_timings(plan, records)
    return with_times(answer(plan, records, timings))


def with_times(answers):
    """The answers, their levels timed by turns in each seed, whether or not a claim asks for it."""
    (question,) = answers.questions
    timed = [tuple(record.seconds for record in level.records) for level in question.levels]
    levels = tuple(
        replace(level, timed=seconds) for level, seconds in zip(question.levels, timed, strict=True)
    )
    return replace(answers, questions=(replace(question, levels=levels),))


def report_on(answers):
    return build(answers, words_in("en"))


@pytest.fixture(scope="module")
def found():
    return asked()


def said(answers, language="en"):
    return plain(answer_sentence(answers.questions[0], language))


def test_the_answer_says_what_each_gives_and_what_it_takes(found):
    assert said(found) == (
        "Recipe digits-5s has 99.00 ± 0.02 % on the test set after 4.00 ± 0.01 s of training; "
        "augmentation shifts instead of none gives −0.40 percentage points on the test set, "
        "+48.00 on the moved set and +4.00 on the rotated set; "
        "optimizer Muon instead of Nesterov takes 1.00 s longer; "
        "no effect of the other ingredient is shown."
    )


def test_it_says_so_in_swedish(found):
    told = said(found, "sv")

    assert told.startswith("Recept digits-5s har 99,00 ± 0,02 % på testmängden efter 4,00 ± 0,01 s")
    assert "ger −0,40 procentenheter på testmängden, +48,00 på den förflyttade mängden och" in told
    assert "optimerare Muon i stället för Nesterov tar" in told
    assert "tar 1,00 s längre tid; ingen effekt av den andra ingrediensen är visad." in told


@pytest.mark.parametrize(
    ("lacking", "told"),
    [
        ([({"batch_norm": False}, WHOLE, 5.0)], "batch normalisation on instead of off saves 1.00"),
        (
            [({"batch_norm": False}, WHOLE | {"test": 0.98}, 3.0)],
            "gives +1.00 percentage points on the test set and takes 1.00 s longer.",
        ),
        ([({"dropout": 0.5}, WHOLE | {"test": 0.98}, 4.0)], "dropout 0 instead of 0.5 gives +1.00"),
        (
            [({"layers": 1, "neurons": 64}, WHOLE | {"test": 0.98}, 4.0)],
            "0 hidden layers instead of 1 gives +1.00",
        ),
        ([({"batch_norm": False}, WHOLE, 4.0)], "no effect of its one ingredient is shown"),
        (
            [({"batch_norm": False}, WHOLE, 4.0), ({"ema": 0.9}, WHOLE, 4.0)],
            "no effect of its 2 ingredients is shown.",
        ),
    ],
)
def test_each_ingredient_is_named_by_what_stands_in_its_place(lacking, told):
    assert told in said(asked(lacking))


def test_ingredients_that_a_brief_name_does_not_tell_apart_are_named_in_full():
    faster = NESTEROV | {"learning_rate": 0.3}
    told = said(asked([(NESTEROV, WHOLE, 3.0), (faster, WHOLE, 3.0)]))

    for rate in ("0.15", "0.3"):
        assert f"Muon instead of Nesterov with momentum 0.9, learning rate {rate} takes" in told


def test_what_a_claim_leaves_open_the_answer_does_not_say():
    about = {"level": (0,), "against": (2,)}
    wide = make_claim("seconds", "same", margin=0.3, **about)  # 4 s are a third more than 3 s

    assert "takes 1.00 s longer" in said(asked(claims=[make_claim("seconds", "worse", **about)]))
    assert "takes" not in said(asked(claims=[replace(wide, margin=0.4)]))
    assert "takes 1.00 s longer" in said(asked(claims=[wide]))


def test_the_table_has_differences_seed_by_seed_with_their_own_intervals(found):
    question = found.questions[0]
    table = added_table(words_in("en"), build_question(question, words_in("en")))

    assert table is not None
    names = [row[0].text for row in table.rows]
    assert names[1] == "Optimizer Muon instead of Nesterov with momentum 0.9, learning rate 0.15"
    assert [cell.text for cell in table.head] == [
        "Ingredient", "Test", "Moved", "Rotated", "Time (s)", "n",
    ]  # fmt: skip
    for row, lacking in zip(table.rows, question.levels[1:], strict=True):
        pairs = zip(question.levels[0].records, lacking.records, strict=True)
        gaps = [100 * (ours.accuracy["moved"] - theirs.accuracy["moved"]) for ours, theirs in pairs]
        low, high = scipy.stats.t.interval(0.95, 4, np.mean(gaps), scipy.stats.sem(gaps))
        mean, half = plain(row[2].text).replace("−", "-").split(" ± ")
        assert float(mean) == pytest.approx(np.mean(gaps), abs=0.005)
        assert float(half) == pytest.approx((high - low) / 2, abs=0.005)
        assert row[-1].text == "5"


def test_it_stands_in_the_terminal_the_page_markdown_and_the_notebook(found, tmp_path):
    write_report(found, tmp_path / "en")
    write_report(found, tmp_path / "sv", language="sv")
    places = [
        lab_text(report_on(found)),
        (tmp_path / "en" / "report.html").read_text("utf-8"),
        (tmp_path / "en" / "report.md").read_text("utf-8"),
        lab_html(report_on(found)),
    ]

    for text in map(plain, places):
        assert "Ablation: what each ingredient adds" in text
        assert "+48.00 ± " in text
        assert "+1.00 ± " in text
        assert "mean over 5 seeds with its own 95 % interval" in text
    swedish = plain((tmp_path / "sv" / "report.html").read_text("utf-8"))
    assert "Ablation: vad varje ingrediens bidrar med" in swedish
    assert "+48,00 ± " in swedish


def test_a_lab_of_several_questions_has_it_too(found):
    twice = replace(found, questions=(found.questions[0], found.questions[0]))

    assert lab_text(report_on(twice)).count("    Ablation: what each ingredient adds, in ") == 2


def test_the_data_have_every_number(found):
    question = json.loads(report_on(found).dump())["questions"][0]
    augment, optimizer, _ = question["added"]

    assert [part["without"] for part in question["added"]] == [1, 2, 3]
    assert augment["accuracy"]["moved"]["mean"] == pytest.approx(0.48)
    assert augment["accuracy"].keys() == set(SETS) - {"train", "val"}
    assert optimizer["seconds"]["mean"] == pytest.approx(1.0)
    low, high = optimizer["seconds"]["interval"]
    assert low < 1.0 < high
    assert len(optimizer["seconds"]["values"]) == 5


def test_single_runs_are_told_without_intervals_and_decide_nothing():
    alone = asked(seeds=[0])
    table = added_table(words_in("en"), report_on(alone).questions[0])

    assert "single runs decide nothing" in said(alone)
    assert table is not None
    assert plain(table.rows[0][2].text) == "+48.00"
    assert "one run each" in lab_text(report_on(alone))


def test_without_rounds_by_turns_nothing_is_said_of_times(found):
    (question,) = found.questions
    untimed = replace(question, levels=tuple(replace(level, timed=()) for level in question.levels))
    words = words_in("en")
    table = added_table(words, build_question(untimed, words))

    assert "longer" not in answer_sentence(untimed)
    assert table is not None
    assert "Time (s)" not in [cell.text for cell in table.head]


@pytest.mark.parametrize(
    "levels",
    [
        [RECIPE, {"recipe": "digits-1s", "augment": "none"}],
        [RECIPE, {"model": "dense"}],
        [RECIPE | {"augment": "none"}, RECIPE | {"batch_norm": False}],
        [{"model": "dense"}, {"model": "dense", "neurons": 64}],
        [RECIPE, {"recipe": "digits-1s"}],
    ],
)
def test_other_questions_have_no_ingredients(found, levels):
    question = found.questions[0]
    named = [
        replace(each, level=replace(each.level, knobs=knobs))
        for each, knobs in zip(question.levels, levels, strict=False)
    ]
    other = replace(question, levels=tuple(named))

    assert ingredients(other) is None
    assert added_table(words_in("en"), build_question(other, words_in("en"))) is None
    assert "ingredient" not in answer_sentence(other)
