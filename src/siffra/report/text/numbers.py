"""Measured quantities in words, rounded to what their interval supports."""

import math
import sys
from collections.abc import Sequence
from typing import Literal

from siffra.config.metrics import Metric
from siffra.lab.plan.plan import Claim
from siffra.lab.stats.comparison import Estimate
from siffra.lab.stats.summaries import Summary
from siffra.report.text.messages import GAP, MINUS, Words

_SKEWED = 1.5
"""An interval whose upper arm is longer by this factor is given by its ends."""

USELESS = 100
"""An interval of times that reaches this many times beyond the mean tells nobody anything."""

TWICE = 2.0
"""Ratios of times from here on are told as factors, smaller ones as changes in per cent."""

_ROUNDING = 1e-9
"""Arms of an interval that differ by no more are alike."""
_SMALL, _LARGE = 1e-3, 1e6
"""Numbers beyond are told in a power of ten."""
_SUREST = 99.9
"""Per cent; of a level beyond, more digits tell a reader nothing."""
_MOST_DECIMALS = 10
"""Of a quantity whose size is not known."""

Unit = Literal["points", "percent", "times", "seconds", "epochs", "plain"]


def decimals_for(half_width: float, most: int = 2) -> int:
    """Decimals worth printing beside an uncertainty of ± `half_width`.

    One digit of the uncertainty is kept, two where it starts with 1 or 2, as physicists do
    (Particle Data Group, Review of Particle Physics, section 5.3, roughly). Without an
    uncertainty, as for a single run, `most` are printed.
    """
    if not math.isfinite(half_width) or half_width <= 0:
        return most
    exponent = math.floor(math.log10(half_width))
    leading = half_width / 10**exponent
    return min(most, max(0, -exponent + (leading < 2.95)))


def half_width(summary: Summary) -> float:
    """The longer arm of the interval; NaN where there is none."""
    return max(summary.high - summary.mean, summary.mean - summary.low)


def accuracy(words: Words, summary: Summary) -> str:
    """`97.1 ± 0.3 %`, of fractions."""
    return f"{accuracy_number(words, summary)}{GAP}%"


def accuracy_number(words: Words, summary: Summary) -> str:
    """`97.1 ± 0.3`, in per cent, of fractions; `81 (33–100)` where 0 or 100 cuts the interval."""
    above, below = summary.high - summary.mean, summary.mean - summary.low
    if abs(above - below) > _ROUNDING:
        decimals = decimals_for(100 * min(above, below) or math.nan)
        return _with_ends(words, summary, decimals, scale=100)
    return _plus_minus(words, 100 * summary.mean, 100 * half_width(summary), most=2)


def share(words: Words, fraction: float, decimals: int = 1) -> str:
    """`97.1 %`, of a fraction."""
    return f"{words.number(100 * fraction, decimals)}{GAP}%"


def over_seeds(words: Words, key: str, counts: Sequence[int], **values: str) -> str:
    """The text for figures over `5` seeds, or `5 to 20` where some levels have more than others.

    Where each has but one run, that is `key.one`; a text that has no number is `key` itself.
    """
    if key in words:
        return words(key, **values)
    low, high = min(counts), max(counts)
    if high == 1:
        return words(f"{key}.one", **values)
    n = str(low) if low == high else words("quantity.from_to", low=low, high=high)
    return words(f"{key}.other", n=n, **values)


def seconds(words: Words, summary: Summary) -> str:
    """`12.3 ± 0.4 s`."""
    return f"{seconds_number(words, summary)}{GAP}s"


def seconds_number(words: Words, summary: Summary) -> str:
    """`12.3 ± 0.4`; or `0.3 (0.1–0.9)` where the interval is far from symmetric.

    An interval that reaches to more than `USELESS` times the mean, as that of two unlike times
    does, says nothing: `24 (seen: 6.1–96.0)` has the least and the greatest time instead.
    """
    most = decimals_of_seconds(summary.mean)
    if math.isfinite(summary.high) and summary.high > USELESS * summary.mean:
        low, high = min(summary.values), max(summary.values)
        mean, *ends = (words.number(x, decimals_of_seconds(low)) for x in (summary.mean, low, high))
        return words("quantity.seen", mean=mean, low=ends[0], high=ends[1])
    above, below = summary.high - summary.mean, summary.mean - summary.low
    if above > _SKEWED * below:
        return _with_ends(words, summary, decimals_for(below, most))
    return _plus_minus(words, summary.mean, half_width(summary), most)


def span(words: Words, seconds: float) -> str:
    """A length of time, roughly and upwards: `8 s`, `25 min`, `2 h 5 min`."""
    if seconds < 60:
        return f"{max(1, math.ceil(seconds))}{GAP}s"
    hours, minutes = divmod(math.ceil(seconds / 60), 60)
    parts = [f"{hours}{GAP}h"] * (hours > 0) + [f"{minutes}{GAP}min"] * (minutes > 0)
    return GAP.join(parts)


def change(words: Words, estimate: Estimate, *, scale: int = 1) -> str:
    """`+3.2 ± 0.4`, of a difference times `scale`; without an interval where there is none."""
    half = scale * (estimate.high - estimate.value)
    return _plus_minus(words, scale * estimate.value, half, 2, signed=True)


def decimals_of_seconds(seconds: float) -> int:
    """Decimals worth printing of a time, at most."""
    return 3 if seconds < 0.1 else 2 if seconds < 10 else 1


def factor(words: Words, times: float) -> str:
    """`3.4 times` for 3.4."""
    return words("quantity.factor", value=ratio(words, times))


def ratio(words: Words, times: float) -> str:
    """`3.4` for 3.4; two digits are kept, and three of what is nearly 1."""
    return words.number(times, _decimals_of_ratio(times))


def ratios(words: Words, times: float, low: float, high: float) -> tuple[str, str, str]:
    """A ratio and the ends of its interval, which are told apart."""
    decimals = [_decimals_of_ratio(x) for x in (times, low, high)]
    while math.isfinite(high) and high - low > _ROUNDING:
        ends = [words.number(x, n) for x, n in zip((low, high), decimals[1:], strict=True)]
        if ends[0] != ends[1] or max(decimals) >= _MOST_DECIMALS:
            break
        decimals = [max(decimals) + 1] * 3
    value, least, most = (
        words.number(x, n) for x, n in zip((times, low, high), decimals, strict=True)
    )
    return value, least, most


def _decimals_of_ratio(times: float) -> int:
    return 0 if times >= 9.95 else 2 if times < 1.095 else 1


def unit_of(claim: Claim, estimate: Estimate) -> Unit:
    """The unit in which an estimate is best read."""
    if estimate.scale == "ratio":
        # A claimed −60 % is set beside what was measured, however small that is.
        least = 0.5 if claim.times == 1 else 0.0
        is_share = least < estimate.value < TWICE and not estimate.censored
        return "percent" if is_share else "times"
    match claim.measured.unit:
        case "fraction":
            return "points"
        case "seconds" | "epochs" as unit if claim.named is None:
            return unit
        case _:
            return "plain"


def estimate_words(
    words: Words, claim: Claim, estimate: Estimate, unit: Unit | None = None
) -> tuple[str, str]:
    """The estimate and its interval: `+3.2 percentage points`, `+2.8 to +3.6`, or `+2.8 or more`.

    An end that reaches all that is possible bounds nothing; of two such ends nothing is told.

    A claim's `times` and `plus` are taken to be in the estimate: it is that of the levels
    themselves. Its `unit` is the one in which it is best read, if no other is given.
    """
    unit = unit or unit_of(claim, estimate)
    ends = (estimate.value, estimate.low, estimate.high)
    power, tail = power_of(*ends) if unit == "plain" else (1.0, "")
    value, low, high = (_in_unit(x, unit) / power for x in ends)
    least, greatest = _possible(claim, unit)
    low, high = max(low, least), min(high, greatest)
    arms = [arm for arm in (value - low, high - value) if math.isfinite(arm)]
    most = 2 if unit in ("points", "times") else 1 if value < 10 else 0
    most = _MOST_DECIMALS if unit == "plain" else most
    # A ratio's upper arm is the longer one, and says little of how well the ratio is known.
    half = arms[0] if arms and unit == "times" else max(arms, default=math.nan)
    decimals = decimals_for(half, most)
    if unit == "plain" and not half >= 10**-_MOST_DECIMALS:  # no interval, or one without a width
        decimals = len(f"{value:.10g}".partition(".")[2])
    # An end that decides a verdict is not to be written as if it lay on the line.
    lines = [line / power for line in _lines(claim, estimate, unit)]
    while decimals < most and any(
        end != line and round(end, decimals) == round(line, decimals)
        for end in (low, high)
        for line in lines
    ):
        decimals += 1
    # Nor is an interval to be written as if it had no width.
    while (
        high - low > _ROUNDING
        and decimals < _MOST_DECIMALS
        and (round(low, decimals) == round(high, decimals))
    ):
        decimals += 1
    signed = unit != "times"
    texts = [f"{words.number(x, decimals, signed=signed)}{tail}" for x in (value, low, high)]
    # Also one that is written as if it did, as a ratio of 0.00.
    ends_open = (
        min(low, round(low, decimals)) <= least,
        max(high, round(high, decimals)) >= greatest,
    )
    match ends_open:
        case True, True:
            interval = ""
        case True, False:
            interval = words("quantity.or_less", high=texts[2])
        case False, True:
            interval = words("quantity.or_more", low=texts[1])
        case _:
            interval = words("quantity.from_to", low=texts[1], high=texts[2])
    text = (
        with_unit(texts[0], claim.measured) if unit == "plain" else quantity(words, unit, texts[0])
    )
    return bounded(words, text, estimate), interval


def bounded(words: Words, text: str, estimate: Estimate) -> str:
    """An estimate's `text`: a bound where some of its values are, as a target was not reached."""
    if estimate.censored and estimate.low == 0 and math.isfinite(estimate.high):
        return words("quantity.at_most", high=text)
    if estimate.censored and estimate.low > 0 and math.isinf(estimate.high):
        return words("quantity.at_least", low=text)
    return text


def quantity(words: Words, unit: str, number: str) -> str:
    """A number with its unit in words: `+3.2 percentage points`, `1 epoch`."""
    key = f"quantity.{unit}"
    if key in words:
        return words(key, value=number)
    is_one = number.lstrip(f"+{MINUS}") == "1"
    return words(f"{key}.{'one' if is_one else 'other'}", value=number)


def points(words: Words, fraction: float) -> str:
    """`0.2 percentage points`, of a fraction that somebody chose."""
    return quantity(words, "points", words.exact(round(100 * fraction, 6)))


def confidence(words: Words, fraction: float) -> str:
    """`95`, `99.4`, or `> 99.9`: an interval's level in per cent, rounded down."""
    shown = math.floor(1000 * fraction + _ROUNDING) / 10
    text = words.number(shown, 1).removesuffix(f"{words('decimal')}0")
    return f">{GAP}{text}" if shown == _SUREST and 100 * fraction > _SUREST + _ROUNDING else text


def target(words: Words, fraction: float) -> str:
    """`98.5 %`, of an accuracy that somebody chose."""
    return f"{words.exact(round(100 * fraction, 6))}{GAP}%"


def margin_words(words: Words, claim: Claim) -> str:
    """The smallest difference that matters: `0.2 percentage points`, `5 %`."""
    if claim.measured.is_ratio:
        return words("quantity.percent", value=words.exact(round(100 * claim.margin, 6)))
    return amount(words, claim.measured, claim.margin)


def amount(words: Words, metric: Metric, difference: float) -> str:
    """A difference that somebody chose: `0.2 percentage points`, `0.003 bits`."""
    if metric.unit == "fraction":
        return points(words, difference)
    return with_unit(plain(words, difference), metric)


def with_unit(number: str, metric: Metric) -> str:
    """A number with the metric's own unit, if it has one."""
    return f"{number}{GAP}{metric.unit}" if metric.unit else number


def metric_number(words: Words, summary: Summary, metric: Metric) -> str:
    """`0.214 ± 0.003`, of a metric of trainings that siffra does not do; per cent of fractions."""
    if metric.unit == "fraction":
        return accuracy_number(words, summary)
    ends = (summary.mean, summary.low, summary.high)
    power, tail = power_of(*ends)
    mean, low, high = (end / power for end in ends)
    above, below = high - mean, mean - low
    if not math.isfinite(above):
        return f"{words.exact(float(f'{mean:.4g}'))}{tail}"
    if max(above, below) < 10**-_MOST_DECIMALS:  # all runs gave the same
        return f"{words.exact(mean)}{tail}"
    if above > _SKEWED * below:
        decimals = decimals_for(below, _MOST_DECIMALS)
        first, *others = (f"{words.number(x, decimals)}{tail}" for x in (mean, low, high))
        return f"{first}{GAP}({'–'.join(others)})"
    text = _plus_minus(words, mean, max(above, below), _MOST_DECIMALS)
    return text.replace(f"{GAP}±", f"{tail}{GAP}±") + tail


def plain(words: Words, value: float) -> str:
    """A number as it was typed, or in a power of ten: `0.003`, `2e−9`."""
    power, tail = power_of(value)
    return f"{words.exact(value / power)}{tail}"


def plain_ends(words: Words, low: float, high: float) -> list[str]:
    """The ends of an axis, of a metric whose size is not known."""
    power, tail = power_of(low, high)
    decimals = decimals_for((high - low) / power / 2, _MOST_DECIMALS)
    return [f"{words.number(end / power, decimals)}{tail}" for end in (low, high)]


def power_of(*values: float) -> tuple[float, str]:
    """The power of ten that numbers are told in, and how it is written: 1e-9, `e−9`.

    That is 1 for the usual ones.
    """
    size = max((abs(value) for value in values if math.isfinite(value)), default=1.0)
    if size == 0 or _SMALL <= size < _LARGE:
        return 1.0, ""
    exponent = max(math.floor(math.log10(size)), sys.float_info.min_10_exp)
    return 10.0**exponent, f"e{exponent}".replace("-", MINUS)


def align(column: Sequence[str], mark: str) -> list[str]:
    """Pad numbers at their ends, so that in a column set to the right their ± stand in a line.

    Without a ± their decimals do. `mark` is the decimal mark. The padding is as wide as what is
    missing: figure and punctuation spaces (U+2007, U+2008). A column with an interval in brackets
    stays as it is.
    """
    if any("(" in text for text in column):
        return list(column)
    tails = [text.partition(f"{GAP}±{GAP}")[2] or text.partition(mark)[2] for text in column]
    has_arms = any("±" in text for text in column)
    shape = max(tails, key=len, default="") if has_arms else mark + max(tails, key=len, default="")

    def padded(text: str) -> str:
        is_number = text[-1:].isdigit() and ("±" in text or not has_arms)
        tail = text.partition("±")[2].strip() if has_arms else "".join(text.partition(mark)[1:])
        missing = shape[len(tail) :] if is_number and shape != mark else ""
        return text + "".join("\u2008" if c == mark else "\u2007" for c in missing)

    return [padded(text) for text in column]


def _possible(claim: Claim, unit: Unit) -> tuple[float, float]:
    """The least and the most that a difference can be: accuracies lie between 0 and 100."""
    if unit == "points":
        if claim.metric == "accuracy" and not isinstance(claim.against, tuple):
            return -100 * claim.against, 100 * (1 - claim.against)
        return -100.0, 100.0
    return {"times": 0.0, "percent": -100.0}.get(unit, -math.inf), math.inf


def _lines(claim: Claim, estimate: Estimate, unit: Unit) -> tuple[float, ...]:
    """Where nothing differs, and where differences begin to matter, in the unit that is shown."""
    if estimate.scale == "ratio":
        margins = (1.0, 1 + claim.margin, 1 / (1 + claim.margin))
        return tuple(_in_unit(claim.times * x, unit) for x in margins)
    return tuple(_in_unit(claim.plus + x, unit) for x in (0.0, claim.margin, -claim.margin))


def _in_unit(value: float, unit: Unit) -> float:
    if unit == "points":
        return 100 * value
    return 100 * (value - 1) if unit == "percent" else value


def _with_ends(words: Words, summary: Summary, decimals: int, scale: int = 1) -> str:
    ends = (summary.mean, summary.low, summary.high)
    mean, low, high = (words.number(scale * x, decimals) for x in ends)
    return f"{mean}{GAP}({low}–{high})"


def _plus_minus(words: Words, mean: float, half: float, most: int, *, signed: bool = False) -> str:
    decimals = decimals_for(half, most)
    text = words.number(mean, decimals, signed=signed)
    if not math.isfinite(half):
        return text
    # Nothing that varies is exact, however little it varies.
    half = max(half, 10**-decimals) if half > min(_ROUNDING, abs(mean) * _ROUNDING) else half
    return f"{text}{GAP}±{GAP}{words.number(half, decimals)}"
