"""What is proposed, from a parent and from what was seen."""

import itertools

import numpy as np
import optuna
import pytest

from siffra.config import Setting
from siffra.config.recipes import find_recipe
from siffra.search.proposals import proposals
from siffra.search.space import Parameters, Space, parameters_of

SPACE = Space(10.0, 36.0)


@pytest.fixture
def study():
    return optuna.create_study(direction="maximize")


def test_proposals_go_on_where_all_that_a_parent_had_is_fixed(study):
    every = proposals(study, SPACE, [{}], 0)

    assert len({str(knobs) for _, knobs in itertools.islice(every, 20)}) == 20


def test_a_proposal_keeps_most_of_its_parent(propose):
    parent = Parameters(parameters_of(Setting.from_knobs(find_recipe("digits-5s").knobs)))
    SPACE.knobs(parent)
    changed = []
    for number in range(60):
        parameters, _ = propose(SPACE, [parent.values], number)
        shared = parameters.keys() & parent.values.keys()
        changed.append(sum(parameters[n] != parent.values[n] for n in shared) / len(shared))

    assert np.median(changed) < 0.2
    assert max(changed) > 0.4  # now and then, all is drawn anew


def test_the_same_seed_proposes_the_same(propose):
    assert propose(SPACE, [], 7) == propose(SPACE, [], 7)


def test_what_did_well_is_proposed_more_often(study, propose):
    """Scores grow with the dropout alone; nothing else can be told apart."""
    for seed in range(60):
        parameters, _ = propose(SPACE, [], seed)
        study.add_trial(SPACE.trial(parameters, value=parameters["dropout"]))

    drawn = [next(proposals(study, SPACE, [], seed))[0]["dropout"] for seed in range(40)]

    # Evenly drawn from 0 to 0.5 the mean would be 0.22 with a standard error of 0.03.
    assert np.mean(drawn) > 0.3


def test_what_is_refused_is_no_trial(study):
    list(itertools.islice(proposals(study, SPACE, [], 0), 5))

    assert study.trials == []
