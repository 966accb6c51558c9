import math
from dataclasses import replace

import numpy as np
import pytest
from estimators import Nearest
from made_runs import make_claim, make_level, make_plan, make_question, make_record

from siffra.config import Estimator, Setting
from siffra.lab.answers import Shortfall, answer
from siffra.lab.plan.plan import Experiment
from siffra.lab.stats.edges import Edge, edges_of_choice
from siffra.lab.stats.families import OUTSIDE_ALPHA

LEVELS = [make_level({"neurons": n}) for n in (4, 8, 16)]


def records_of(levels, seeds, accuracy):
    """A record of every setting and seed; `accuracy(setting, seed)` on every set."""
    wanted = [(setting, seed) for level in levels for setting in level.settings for seed in seeds]
    return {
        (setting, seed): make_record(
            setting, seed, accuracy=dict.fromkeys(("val", "test"), accuracy(setting, seed))
        )
        for setting, seed in wanted
    }


def by_neurons(setting, seed):
    return {4: 0.7, 8: 0.9, 16: 0.8}[setting.model.neurons[0]] + 0.001 * seed


class TestAnswers:
    def test_a_plan_is_answered(self):
        claims = [make_claim(), make_claim(level=(1, 2), against=0.75), make_claim(epochs=100)]
        questions = make_question(LEVELS, claims), make_question(LEVELS[:2], [make_claim()])
        plan = make_plan(*questions, seeds=range(12))
        answers = answer(plan, records_of(LEVELS, plan.seeds, by_neurons))

        first, second = answers.questions
        assert [c.verdict for c in first.claims] == ["refuted", "supported", "not tested"]
        assert first.claims[0].estimate.value == pytest.approx(-0.2)
        assert first.claims[1].estimate.value == pytest.approx(0.85 + 0.0055 - 0.75)
        assert [c.verdict for c in second.claims] == ["refuted"]
        assert len(first.levels[0].records) == 12
        assert first.levels[0].accuracy["val"].mean == pytest.approx(0.7055)
        assert first.levels[0].seconds.mean == pytest.approx(20.0)

    def test_claims_of_all_questions_share_one_allowance(self):
        plan = make_plan(*[make_question(LEVELS, [make_claim(direction="same")])] * 4)
        noise = np.random.default_rng(0).normal(0.9, 0.01, (3, 5))
        levels = [level.settings[0] for level in LEVELS]
        records = records_of(LEVELS, plan.seeds, lambda s, seed: noise[levels.index(s), seed])
        answers = answer(plan, records)
        shown = [q.claims[0].estimate.confidence for q in answers.questions]
        assert shown == pytest.approx([1 - OUTSIDE_ALPHA / 4] * 4)

    def test_each_author_has_a_family(self):
        ours = [make_claim(id=str(i)) for i in range(4)]
        theirs = [make_claim(id="theirs", by={"en": "siffra"})]
        plan = make_plan(make_question(LEVELS, [*ours, *theirs]))
        noise = np.random.default_rng(0).normal(0.9, 0.01, (3, 5))
        levels = [level.settings[0] for level in LEVELS]
        records = records_of(LEVELS, plan.seeds, lambda s, seed: noise[levels.index(s), seed])
        (question,) = answer(plan, records).questions
        assert [claim.estimate.confidence for claim in question.claims] == pytest.approx(
            [1 - OUTSIDE_ALPHA / 4] * 4 + [1 - OUTSIDE_ALPHA]
        )

    def test_best_level_is_chosen_on_validation(self):
        plan = make_plan(make_question(LEVELS))
        records = {
            key: make_record(*key, accuracy={"val": by_neurons(*key), "test": 1 - by_neurons(*key)})
            for key in records_of(LEVELS, plan.seeds, by_neurons)
        }
        (found,) = answer(plan, records).questions
        assert found.best == 1

    @pytest.mark.parametrize(
        ("knob", "values", "best", "side"),
        [
            ("neurons", (4, 8, 16), 8, None),
            ("neurons", (4, 8, 16), 16, "largest"),
            ("neurons", (4, 8, 16), 4, "smallest"),
            ("neurons", (1, 8, 16), 1, None),
            ("dropout", (0.0, 0.1, 0.2), 0.0, None),
            ("dropout", (0.1, 0.2, 0.3), 0.1, "smallest"),
            ("neurons", (4, 16), 16, None),
            ("activation", ("relu", "gelu", "tanh"), "tanh", None),
        ],
    )
    def test_a_best_value_with_more_to_try_beyond_it_is_flagged(self, knob, values, best, side):
        levels = [make_level({knob: value}) for value in values]
        winner = levels[values.index(best)].settings[0]
        plan = make_plan(make_question(levels))
        records = records_of(levels, plan.seeds, lambda s, seed: 0.8 + 0.1 * (s == winner))
        (found,) = answer(plan, records).questions
        assert found.edge == ((Edge(knob, side),) if side else ())

    def test_levels_picked_by_hand_have_no_edge(self):
        picked = ((4, 0.1), (8, 0.2), (16, 0.3))
        levels = [make_level({"neurons": n, "dropout": d}) for n, d in picked]
        plan = make_plan(make_question(levels))
        wide = levels[2].settings[0]
        records = records_of(levels, plan.seeds, lambda s, seed: 0.8 + 0.1 * (s == wide))
        (found,) = answer(plan, records).questions
        assert (found.best, found.edge) == (2, ())

    def test_names_have_no_edge(self):
        levels = [make_level({"model": "dense"}), make_level({"model": "conv"})]
        plan = make_plan(make_question(levels))
        (found,) = answer(plan, records_of(levels, plan.seeds, lambda *_: 0.9)).questions
        assert found.edge == ()

    def test_a_decline_needs_two_epochs(self):
        levels = [make_level({"neurons": n, "epochs": 1}) for n in (4, 8)]
        plan = make_plan(make_question(levels, [make_claim("decline")]))
        (found,) = answer(plan, records_of(levels, plan.seeds, lambda *_: 0.9)).questions
        assert (found.claims[0].verdict, found.claims[0].reason) == ("not tested", "too few epochs")

    def test_a_decline_needs_them_on_both_sides(self):
        tree = {"model": Estimator.of_class(Nearest, "estimators:Nearest")}
        levels = [make_level(tree), make_level({"neurons": 4, "epochs": 10})]
        claims = [make_claim("decline"), make_claim("decline", level=(1,), against=0.1)]
        plan = make_plan(make_question(levels, claims), seeds=range(12))

        (found,) = answer(plan, records_of(levels, plan.seeds, lambda *_: 0.9)).questions

        assert [claim.verdict for claim in found.claims] == ["not tested", "supported"]

    def test_diverged_runs_are_counted_and_kept(self):
        setting = LEVELS[0].settings[0]
        experiment = Experiment(id="e", name={}, note={}, setting=setting, reported={})
        plan = replace(
            make_plan(make_question(LEVELS[:1]), seeds=(0, 1)), experiments=(experiment,)
        )
        records = {
            (setting, 0): make_record(setting, 0, accuracy=0.098, diverged=True),
            (setting, 1): make_record(setting, 1, accuracy=0.95),
        }
        answers = answer(plan, records)
        for found in (answers.questions[0].levels[0], answers.experiments[0]):
            assert (len(found.records), found.diverged) == (2, 1)
            assert found.accuracy["test"].values == (0.95,)
            assert [run.seed for run in found.trained] == [1]

    def test_an_experiment_has_all_the_seeds_that_a_level_of_its_setting_has(self):
        setting = LEVELS[0].settings[0]
        experiment = Experiment(id="e", name={}, note={}, setting=setting, reported={})
        plan = replace(
            make_plan(make_question(LEVELS[:1]), seeds=(0, 1)),
            experiments=(experiment,),
            looks=(2, 5),
        )
        records = {(setting, seed): make_record(setting, seed, accuracy=0.9) for seed in range(5)}

        answers = answer(plan, records)

        (level,), (found,) = answers.questions[0].levels, answers.experiments
        assert found.records == level.records
        assert len(found.records) == 5
        assert answers.missing == 0

    def test_a_level_of_which_runs_diverge_is_not_the_best_for_those_that_did_not(self):
        plan = make_plan(make_question(LEVELS[:2]))
        (steady,), (wild,) = LEVELS[0].settings, LEVELS[1].settings
        records = {(steady, seed): make_record(steady, seed, accuracy=0.8) for seed in plan.seeds}
        records |= {
            (wild, seed): make_record(wild, seed, accuracy=0.95, diverged=seed > 0)
            for seed in plan.seeds
        }

        assert answer(plan, records).questions[0].best == 0

    @pytest.mark.parametrize(
        ("diverged", "accuracies", "metric", "expected"),
        [
            # Level 0 is better where both train.
            ({1: [3, 4]}, (0.95, 0.90), "accuracy", ("supported", "difference", 8)),
            # Where both train nothing differs, which says nothing of the other seeds.
            ({1: [4]}, (0.90, 0.90), "accuracy", ("inconclusive", "difference", 9)),
            ({0: [3, 4]}, (0.90, 0.95), "accuracy", ("refuted", "difference", 8)),
            # It trains better, but fails so often that it is not better.
            ({0: range(5)}, (0.95, 0.90), "accuracy", ("inconclusive", "difference", 5)),
            ({1: range(10)}, (0.95, 0.90), "accuracy", ("supported", "collapse", 0)),
            ({0: range(10)}, (0.95, 0.90), "accuracy", ("refuted", "collapse", 0)),
            # What is lost from test to shifted images is nothing that a failure has more of.
            ({1: range(10)}, (0.95, 0.90), "drop", ("inconclusive", "difference", 0)),
            ({}, (0.95, 0.90), "accuracy", ("supported", "difference", 10)),
        ],
    )
    def test_runs_that_diverge_are_no_part_of_the_difference_and_are_compared_beside_it(
        self, diverged, accuracies, metric, expected
    ):
        question = make_question(LEVELS[:2], [make_claim(metric)])
        plan = make_plan(question, seeds=range(10))
        records = {
            (level.settings[0], seed): make_record(
                level.settings[0],
                seed,
                accuracy=reached + 0.001 * (seed % 3),
                diverged=seed in diverged.get(number, ()),
            )
            for number, (level, reached) in enumerate(zip(LEVELS[:2], accuracies, strict=True))
            for seed in plan.seeds
        }

        (claim,) = answer(plan, records).questions[0].claims

        pairs = len(claim.estimate.values) if claim.estimate else 0
        assert (claim.verdict, claim.basis, pairs) == expected
        assert claim.collapsed == tuple((len(diverged.get(side, ())), 10) for side in (0, 1))

    def test_runs_that_never_reach_the_target_on_either_side(self):
        plan = make_plan(make_question(LEVELS, [make_claim("epochs_to", target=0.99)]))
        (found,) = answer(plan, records_of(LEVELS, plan.seeds, by_neurons)).questions
        assert found.claims[0].verdict == "inconclusive"
        assert found.claims[0].reason == "never reached"

    def test_a_target_that_selects_its_seeds_decides_nothing(self):
        claim = make_claim("epochs_to", target=0.9, direction="better")
        plan = make_plan(make_question(LEVELS, [claim]), seeds=range(5))
        curves = ([0.95] * 20, [0.5] * 2 + [0.95] * 18)
        records = {
            (level.settings[0], seed): make_record(
                level.settings[0], seed, curve=curves[min(i, 1)] if seed < 2 else [0.5] * 20
            )
            for i, level in enumerate(LEVELS)
            for seed in plan.seeds
        }
        (found,) = answer(plan, records).questions
        assert (found.claims[0].verdict, found.claims[0].reason) == (
            "inconclusive",
            "never reached",
        )
        assert found.claims[0].seeds_needed is None


class TestAveraging:
    """A plan that averages judges the mean over a long training's last epochs, where there is one.

    Whoever asks: the lab that made the runs, or a report, a page and an export that read them.
    """

    PLAN = replace(
        make_plan(make_question(LEVELS[:2], [make_claim(level=(1,), against=(0,))])),
        averages=True,
        experiments=(Experiment("e", {}, {}, LEVELS[0].settings[0], {}),),
    )

    @staticmethod
    def late(records):
        """Runs whose last epochs have, on average, 0.5 less on every set than their end."""
        return {
            which: record.model_copy(
                update={"late": {name: a - 0.5 for name, a in record.accuracy.items()}}
            )
            for which, record in records.items()
        }

    def test_levels_claims_and_experiments_are_about_the_mean(self):
        records = self.late(records_of(LEVELS[:2], range(5), by_neurons))
        answers = answer(self.PLAN, records)
        (question,), (experiment,) = answers.questions, answers.experiments

        assert question.levels[1].accuracy["test"].mean == pytest.approx(0.9 + 0.002 - 0.5)
        assert experiment.accuracy["test"].mean == pytest.approx(0.7 + 0.002 - 0.5)
        assert question.claims[0].estimate.value == pytest.approx(0.2)

    def test_without_averaging_they_are_about_the_end(self):
        records = self.late(records_of(LEVELS[:2], range(5), by_neurons))
        (question,) = answer(replace(self.PLAN, averages=False), records).questions
        assert question.levels[1].accuracy["test"].mean == pytest.approx(0.902)

    def test_a_retuned_knob_is_chosen_by_the_mean(self):
        settings = [Setting.from_knobs({"learning_rate": r}) for r in (0.1, 0.2)]
        level = make_level({"neurons": 32}, *settings)
        question = make_question([level], retune=("learning_rate",))
        plan = replace(make_plan(question, seeds=(0,)), averages=True, tuning_seeds=(100,))
        records = records_of(
            [level], (0, 100), lambda setting, seed: setting.training.learning_rate
        )
        best_at_the_end, best_on_average = settings[1], settings[0]
        chosen = records[best_on_average, 100]
        records[best_on_average, 100] = chosen.model_copy(update={"late": {"val": 0.9}})

        def choice(plan):
            return answer(plan, records).questions[0].levels[0].setting

        assert choice(plan) == best_on_average
        assert choice(replace(plan, averages=False)) == best_at_the_end


class TestMissingRuns:
    def test_pair_the_seeds_that_both_sides_have(self):
        plan = make_plan(make_question(LEVELS, [make_claim()]))
        records = records_of(LEVELS, plan.seeds, by_neurons)
        del records[LEVELS[0].settings[0], 1], records[LEVELS[1].settings[0], 3]
        (found,) = answer(plan, records).questions
        assert len(found.claims[0].estimate.values) == 3
        assert found.claims[0].estimate.value == pytest.approx(-0.2)

    def test_with_none_at_all_nothing_is_said(self):
        plan = make_plan(make_question(LEVELS, [make_claim()]))
        (found,) = answer(plan, {}).questions
        assert (found.claims[0].verdict, found.claims[0].estimate) == ("inconclusive", None)
        assert found.claims[0].reason == "too few seeds"
        assert (found.best, found.edge) == (0, ())
        assert math.isnan(found.levels[0].accuracy["test"].mean)


class TestRetuning:
    RATES = (0.1, 0.3)
    SETTINGS = tuple(Setting.from_knobs({"neurons": 4, "learning_rate": r}) for r in RATES)
    LEVEL = make_level({"neurons": 4}, *SETTINGS)

    TUNING = range(100, 105)

    def see(self, validation, accuracy=lambda setting, seed: 0.9, tuning=TUNING):
        """The level's answer, from validation accuracies by setting and tuning seed."""
        plan = make_plan(make_question([self.LEVEL], retune=("learning_rate",)))
        plan = replace(plan, tuning_seeds=tuple(tuning))
        records = records_of([self.LEVEL], plan.seeds, accuracy) | {
            (setting, seed): make_record(setting, seed, accuracy=validation[i][k])
            for i, setting in enumerate(self.SETTINGS)
            for k, seed in enumerate(tuning)
        }
        return answer(plan, records).questions[0].levels[0]

    def test_what_is_best_on_the_tuning_seeds_is_judged_on_the_others(self):
        found = self.see([[0.9, 0.9, 0.9, 0.9, 0.1], [0.8] * 5])
        assert found.setting == self.SETTINGS[1]
        assert [run.seed for run in found.records] == [0, 1, 2, 3, 4]
        assert found.retuned == {"learning_rate": 0.3}
        assert len(found.tried) == 10 + 5

    def test_until_they_are_there_nothing_is_chosen(self):
        plan = make_plan(make_question([self.LEVEL], retune=("learning_rate",)))
        plan = replace(plan, tuning_seeds=tuple(self.TUNING))
        answers = answer(plan, records_of([self.LEVEL], plan.seeds, lambda *_: 0.9))
        (level,) = answers.questions[0].levels
        assert (level.setting, level.records) == (None, ())
        assert answers.missing == 2 * 5 + 5

    def test_choosing_among_equals_gains_nothing(self):
        rng = np.random.default_rng(3)
        means = [
            self.see(rng.normal(0.5, 0.1, (2, 5)).tolist(), lambda *_: float(rng.normal(0.5, 0.1)))
            .accuracy["val"]
            .mean
            for _ in range(300)
        ]
        # Judged on the seeds that chose it the better of two would gain 0.025.
        assert np.mean(means) == pytest.approx(0.5, abs=4 * float(np.std(means)) / math.sqrt(300))

    def test_labs_of_before_there_were_tuning_seeds_are_shown_and_not_judged(self):
        question = make_question([self.LEVEL, LEVELS[1]], [make_claim()], ("learning_rate",))
        plan = make_plan(question)
        records = records_of([self.LEVEL, LEVELS[1]], plan.seeds, lambda *_: 0.9)
        (found,) = answer(plan, records).questions
        assert (found.claims[0].verdict, found.claims[0].reason) == (
            "not tested",
            "tuned on judged seeds",
        )
        assert len(found.levels[0].records) == 5

    @pytest.mark.parametrize(
        ("chosen", "side"),
        [
            ((0.1, 0.1), "smallest"),
            ((1.0, 1.0), "largest"),
            ((0.3, 0.3), None),
            ((0.1, 0.3), None),
            ((0.1,), "smallest"),
            ((), None),
        ],
    )
    def test_a_value_that_all_seeds_chose_is_flagged_at_the_edge(self, chosen, side):
        tried = [
            {"learning_rate": rate, "batch_size": b} for rate in (0.1, 0.3, 1.0) for b in (4, 8)
        ]
        own = [{"learning_rate": rate, "batch_size": 4} for rate in chosen]

        found = edges_of_choice(("learning_rate", "batch_size", "neurons"), tried, own)

        assert found == ((Edge("learning_rate", side),) if side else ())

    def test_a_level_knows_the_edge_of_what_it_chose(self):
        rates = (0.1, 0.3, 1.0)
        settings = [Setting.from_knobs({"neurons": 4, "learning_rate": rate}) for rate in rates]
        level = make_level({"neurons": 4}, *settings)
        plan = make_plan(make_question([level], retune=("learning_rate",)))
        plan = replace(plan, tuning_seeds=(100,))
        records = records_of([level], (100,), lambda s, _: 1 - s.training.learning_rate / 2)
        (found,) = answer(plan, records).questions
        assert found.levels[0].edge == (Edge("learning_rate", "smallest"),)


class TestShortfall:
    """A lab that had no time for all of its first look."""

    PLAN = replace(
        make_plan(
            make_question(LEVELS, [make_claim(), make_claim(level=(2,), against=(0,))]),
            make_question(LEVELS[:2], [make_claim()]),
        ),
        looks=(5, 7, 10),
        time=60.0,
    )
    SHORT = Shortfall(9.0, (9.0, 0.0), (), (((0, 1), 8.0),))

    def answers(self, seeds, shortfall: Shortfall | None = SHORT):
        """With the first two levels complete, and so many seeds of the third."""
        records = records_of(LEVELS[:2], range(5), by_neurons)
        records |= records_of(LEVELS[2:], range(seeds), by_neurons)
        return answer(self.PLAN, records, shortfall=shortfall)

    @pytest.mark.parametrize("seeds", [0, 3])
    def test_claims_and_levels_that_lack_a_look_say_so_and_nothing_is_missing(self, seeds):
        found = self.answers(seeds)
        first, second = found.questions
        assert (found.missing, found.shortfall) == (0, self.SHORT)
        assert [c.reason == "no time" for c in first.claims] == [False, True]
        assert [c.first_look for c in first.claims] == [None, 8.0]
        assert first.claims[1].verdict == "inconclusive"
        assert (first.untrained, first.first_look, first.edge) == ((2,), 9.0, ())
        assert (second.untrained, second.first_look) == ((), 0.0)

    def test_a_lab_that_was_stopped_is_provisional(self):
        found = self.answers(3, None)
        assert (found.missing, found.shortfall) == (2, None)
        assert found.questions[0].claims[1].reason == "too few seeds"
        assert found.questions[0].untrained == ()

    def test_what_another_lab_has_run_since_is_not_lacking(self):
        found = self.answers(5)
        assert (found.missing, found.shortfall) == (0, None)
        assert found.questions[0].untrained == ()

    def test_verdicts_of_the_claims_that_had_their_looks_are_what_they_were(self):
        short, stopped = self.answers(0), self.answers(0, None)
        assert short.questions[0].claims[0] == stopped.questions[0].claims[0]
        assert short.questions[1].claims == stopped.questions[1].claims
        assert short.looks == stopped.looks
