"""Tables of runs whose levels do not differ: how often something is shown in them all the same."""

import math
import random

from benchmarks.method.given import KINDS, VALUES, Kind, shows, table, wrong

SYMMETRIC = ("normal", "t with 3 degrees of freedom")


def test_what_does_not_differ_is_seldom_shown_to():
    kinds = [kind for kind in KINDS if not kind.spread or kind.values in SYMMETRIC]
    each = 10
    tables = len(kinds) * each

    # 5 % and three standard errors.
    most = 0.05 * tables + 3 * math.sqrt(0.05 * 0.95 * tables)
    assert sum(wrong(kind, each) for kind in kinds) <= most


def test_a_difference_would_be_shown():
    rows = table(Kind("normal", paired=True, unlike=False), random.Random(1))
    better = [{**row, "loss": row["loss"] - 10 * row["level"]} for row in rows]

    assert shows(better)


def test_values_have_a_mean_of_0():
    rng = random.Random(2)
    for draw in VALUES.values():
        values = [draw(rng) for _ in range(20_000)]
        error = math.sqrt(sum(value**2 for value in values)) / len(values)
        assert abs(sum(values) / len(values)) < 4 * error
