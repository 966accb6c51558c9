"""Whose turn it is in a race, on scores that are written down here."""

from siffra.config import Setting
from siffra.search.race import (
    FIRST_SEED,
    ROUNDS,
    Candidate,
    Run,
    Turn,
    keeps_busy,
    next_turn,
    ranking,
)


def candidate(number: int, score: float | None = None, *, steps: int = 100) -> Candidate:
    """A candidate that has been through the first round with this score."""
    entered = Candidate(number, Setting.from_knobs({}), {}, "", steps, steps // 4)
    if score is not None:
        entered.runs.append(Run(steps // 4, FIRST_SEED, {"test": score}, 1.0))
    return entered


def run(turn, score: float) -> None:
    turn.candidate.runs.append(Run(turn.steps, turn.seed, {"test": score}, 4.0))


def test_the_home_goes_to_the_third_round_without_beating_anybody():
    home, other = candidate(0), candidate(1, 0.9)
    seen = []

    while (turn := next_turn([home, other])) and turn.candidate is home:
        seen.append((turn.stage, turn.seed - FIRST_SEED, turn.steps))
        run(turn, 0.1)

    assert seen == [(0, 0, 25), (1, 0, 100), (2, 1, 100), (2, 2, 100)]


def test_the_better_third_goes_on_and_the_others_do_not():
    home = candidate(0)
    while (turn := next_turn([home])) is not None:
        run(turn, 0.5)
    field = [home, *(candidate(n, score) for n, score in enumerate((0.1, 0.6, 0.2, 0.3, 0.7), 1))]

    turns = []
    while (turn := next_turn(field)) is not None and turn.stage == 1:
        turns.append(turn.candidate.number)
        run(turn, 0.4)

    # Of six, two: the best two of 0.5, 0.1, 0.6, 0.2, 0.3 and 0.7.
    assert turns == [5, 2]


def test_nobody_is_further_than_the_home():
    home, other = candidate(0), candidate(1, 0.9)
    while (turn := next_turn([home, other])) is not None and turn.candidate is home:
        run(turn, 0.5)
    for seed in range(ROUNDS[3].seeds):
        other.runs.append(Run(100, FIRST_SEED + seed, {"test": 0.9}, 4.0))

    turn = next_turn([home, other])

    assert turn is not None
    assert turn.candidate is home
    assert turn.stage == 3


def test_fresh_seeds_are_used_in_order_and_none_twice():
    home = candidate(0)
    seeds = []
    while (turn := next_turn([home])) is not None:
        seeds.append((turn.steps, turn.seed))
        run(turn, 0.5)

    assert len(set(seeds)) == len(seeds) == 1 + ROUNDS[2].seeds


def test_a_candidate_that_is_too_slow_takes_no_part():
    assert next_turn([candidate(0, steps=0)]) is None
    assert ranking([candidate(0, 0.9, steps=0), candidate(1, 0.1)])[0].number == 1


def test_a_single_lucky_run_does_not_outrank_many_good_ones():
    often, once = candidate(0, 0.5), candidate(1, 0.9)
    for seed in range(3):
        often.runs.append(Run(100, FIRST_SEED + seed, {"test": 0.8}, 4.0))
    once.runs.append(Run(100, FIRST_SEED, {"test": 0.99}, 4.0))

    assert [c.number for c in ranking([once, often])] == [0, 1]


def test_runs_of_another_number_of_steps_count_for_nothing():
    one = candidate(0, 0.5)
    one.runs.append(Run(100, FIRST_SEED, {"test": 0.8}, 4.0))
    assert one.furthest == 1

    one.steps = 90

    assert one.furthest == 0


def at_once(field: list[Candidate], most: int) -> list[tuple[int, int, int]]:
    """At most so many runs that can be made at the same time: candidate, round and seed."""
    turns: list[Turn] = []
    while len(turns) < most and (turn := next_turn(field, turns)):
        turns.append(turn)
    return [(turn.candidate.number, turn.stage, turn.seed - FIRST_SEED) for turn in turns]


def test_runs_at_once_do_not_wait_for_each_others_scores():
    field = [candidate(number) for number in range(3)]

    assert at_once(field, 9) == [(0, 0, 0), (1, 0, 0), (2, 0, 0)]


def test_the_seeds_of_a_round_can_be_made_at_once():
    home, other = candidate(0), candidate(1)
    for _ in range(2):
        turn = next_turn([home])
        assert turn
        run(turn, 0.5)

    assert at_once([home, other], 9) == [(0, 2, 1), (0, 2, 2), (1, 0, 0)]


def test_short_runs_beside_a_long_one_keep_as_many_busy_as_it_takes():
    entered = candidate(0)
    short, whole = (Turn(entered, stage, FIRST_SEED, 1) for stage in (0, 1))

    assert not keeps_busy([], 1)
    assert keeps_busy([whole], 1)
    assert not keeps_busy([whole, *3 * [short]], 2)
    assert keeps_busy([whole, *4 * [short]], 2)
    assert keeps_busy([short, short], 2)
