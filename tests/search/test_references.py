"""What stands beside a search: the study's experiments, by the same clock or as reported."""

import pytest
from made_runs import make_record

from siffra.config import Setting
from siffra.data.load import DataSource, load_dataset
from siffra.search.references import has_clock, study_references
from siffra.training.run import this_machine

FIRST = {"neurons": 128, "batch_size": 27, "learning_rate": 0.7}
"""The study's first experiment, but for its 50 epochs."""


@pytest.fixture
def ran(engine):
    """`ran(epochs, **changes)`: a run of the first experiment, by the engine's clock."""
    dataset = load_dataset()

    def ran(epochs: int, seed: int = 0, **changes):
        made = make_record(Setting.from_knobs({**FIRST, "epochs": epochs}), seed, accuracy=0.95)
        same = {
            "fingerprint": dataset.fingerprint,
            "engine": engine.name,
            "engine_version": engine.version,
            "machine": this_machine(engine.threads),
        }
        return made.model_copy(update=same | changes)

    return ran


def made(references):
    return [reference for reference in references if not reference.is_reported]


def test_the_runs_of_an_experiments_own_epochs_stand_beside(ran, engine):
    runs = [ran(3), ran(50, 0), ran(50, 1), ran(80)]

    (reference,) = made(study_references(runs, load_dataset(), DataSource(), engine))

    assert reference.name["en"].startswith("Experiment 1")
    assert reference.epochs == 50
    assert reference.accuracy["test"].values == (0.95, 0.95)


def test_an_experiment_that_was_only_run_short_stands_as_the_study_reports_it(ran, engine):
    (first, *_) = study_references([ran(3), ran(49)], load_dataset(), DataSource(), engine)

    assert first.is_reported
    assert first.epochs == 50


def test_of_a_seed_that_was_run_again_the_last_run_counts(ran, engine):
    runs = [ran(50, 0, seconds=9.0, scoring=1), ran(50, 1, seconds=2.0), ran(50, 0, seconds=2.0)]

    (reference,) = made(study_references(runs, load_dataset(), DataSource(), engine))

    assert reference.seconds.values == (2.0, 2.0)


def test_runs_by_another_clock_do_not(ran, engine):
    here = this_machine(engine.threads)
    others = [
        ran(50, engine="torch"),
        ran(50, engine_version=engine.version + 1),
        ran(50, machine=here.model_copy(update={"cpu": "another"})),
        ran(50, machine=here.model_copy(update={"threads": 7})),
        ran(50, machine=here.model_copy(update={"jobs": 2})),
        ran(50, fingerprint="another"),
    ]

    assert made(study_references(others, load_dataset(), DataSource(), engine)) == []
    both = study_references([*others, ran(50)], load_dataset(), DataSource(), engine)
    assert len(made(both)) == 1


def test_runs_that_bear_the_cpus_bare_name_do(ran, engine, monkeypatch):
    here = this_machine(engine.threads)
    bare, named, other = (
        here.model_copy(update={"cpu": f"AMD EPYC{numbers}"})
        for numbers in ("", " (family 26, model 2)", " (family 25, model 17)")
    )
    monkeypatch.setattr("siffra.search.references.this_machine", lambda threads: named)

    assert has_clock(ran(50, machine=bare), engine)
    assert has_clock(ran(50, machine=named), engine)
    assert not has_clock(ran(50, machine=other), engine)


def test_what_was_not_run_here_stands_as_the_study_reports_it(ran, engine):
    references = study_references([ran(50)], load_dataset(), DataSource(), engine)

    assert [each.is_reported for each in references] == [False, True, True, True, True]
    last = references[-1]  # the study's table: 238 s, 98.52 %, 88.59 %, 20.86 %
    assert last.seconds.values == pytest.approx((238,))
    figures = {name: summary.values for name, summary in last.accuracy.items()}
    assert figures == {"test": (0.9852,), "rotated": (0.8859,), "moved": (0.2086,)}


def test_nothing_stands_beside_a_search_of_other_data(ran, engine):
    assert study_references([ran(50)], load_dataset(), DataSource(moved=3.0), engine) == []
