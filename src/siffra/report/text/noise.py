"""What runs of one setting say in words: their spread, and how many seeds a difference takes."""

from collections.abc import Mapping, Sequence

from siffra.config.metrics import Metric
from siffra.lab.stats.families import OUTSIDE_ALPHA
from siffra.lab.stats.noise import (
    CORRELATION,
    POWER,
    Noise,
    difference_deviation,
    seeds_needed,
    smallest_effect,
)
from siffra.report.text.failures import failure_text
from siffra.report.text.messages import GAP, Words, capital
from siffra.training.run import Record

_SEEDS = (5, 10, 20, 40)
"""Numbers of seeds of which it is said what they show."""
_LEVELS = {"unpaired": 0.0, "paired": CORRELATION}


def needed_by_level(difference: float | None, noise: Noise) -> dict[str, int | None] | None:
    """How many seeds of both levels a difference takes, without pairs and with them."""
    if difference is None or not noise.deviation:
        return None
    return {
        name: _needed(difference, noise.deviation, correlation)
        for name, correlation in _LEVELS.items()
    }


def noise_text(
    words: Words,
    noises: Mapping[str, Noise],
    metrics: Sequence[Metric],
    records: Sequence[Record],
    difference: float | None,
) -> str:
    """The noise of each metric, of these runs, and what the difference takes, as plain text."""
    blocks = [
        "\n".join(_of_metric(words, metric, noises[metric.name], difference))
        if metric.name in noises
        else words("noise.too_few", metric=metric.name)
        for metric in metrics
    ]
    if any(noise.varies for noise in noises.values()):
        error, power = (words.exact(100 * share) for share in (OUTSIDE_ALPHA, POWER))
        blocks.append(words("noise.method", error=error, power=power))
    blocks.append(failure_text(words, capital(words("noise.runs")), records))
    return "\n\n".join(filter(None, blocks)).replace(GAP, " ")


def _of_metric(words: Words, metric: Metric, noise: Noise, difference: float | None) -> list[str]:
    if not noise.varies:
        first = noise.values[0]
        value = words.exact(first if len({*noise.values}) == 1 else float(f"{first:.6g}"))
        return [words("noise.none", metric=metric.name, n=len(noise.values), value=value)]
    unit = f" {metric.unit}" if metric.unit else ""
    lines = [
        words(
            "noise.spread",
            metric=metric.name,
            n=len(noise.values),
            mean=_number(words, noise.mean, noise.deviation) + unit,
            mean_ends=_ends(words, noise.mean_interval, noise.deviation),
            deviation=_number(words, noise.deviation) + unit,
            deviation_ends=_ends(words, noise.deviation_interval),
        )
    ]
    if difference is not None:
        lines += _takes(words, difference, noise)
    return [*lines, *_table(words, noise)]


def _takes(words: Words, difference: float, noise: Noise) -> list[str]:
    low, high = noise.deviation_interval
    return [
        words(
            f"noise.{name}",
            difference=words.exact(difference),
            seeds=_seeds(words, _needed(difference, noise.deviation, correlation)),
            low=_seeds(words, _needed(difference, low, correlation)),
            high=_seeds(words, _needed(difference, high, correlation)),
        )
        for name, correlation in _LEVELS.items()
    ]


def _table(words: Words, noise: Noise) -> list[str]:
    """The smallest differences that some numbers of seeds show."""
    rows = [[words("noise.seeds"), *(words(f"noise.{name}_head") for name in _LEVELS)]]
    for seeds in _SEEDS:
        effect = smallest_effect(seeds)
        shown = (effect * difference_deviation(noise.deviation, c) for c in _LEVELS.values())
        rows.append([str(seeds), *(_number(words, difference) for difference in shown)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    aligned = (
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return ["", words("noise.smallest"), *aligned]


def _needed(difference: float, deviation: float, correlation: float) -> int | None:
    return seeds_needed(difference / difference_deviation(deviation, correlation))


def _seeds(words: Words, seeds: int | None) -> str:
    return words("noise.endless") if seeds is None else str(seeds)


def _ends(words: Words, ends: tuple[float, float], spread: float | None = None) -> str:
    low, high = (_number(words, end, spread) for end in ends)
    return words("quantity.from_to", low=low, high=high)


def _number(words: Words, value: float, spread: float | None = None) -> str:
    """With two digits, or with as many decimals as two digits of the spread have."""
    exponent = int(f"{value if spread is None else spread:e}".partition("e")[2])
    return words.number(value, max(0, 1 - exponent))
