"""What a search of somebody's own training has found, and how much of its promise was luck."""

import math

from siffra.lab.answers import QuestionAnswer
from siffra.lab.stats.summaries import Summary
from siffra.report.model import Search
from siffra.report.text import numbers
from siffra.report.text.labels import level_name, value_name
from siffra.report.text.messages import GAP, Words


def search_of(answer: QuestionAnswer) -> Search | None:
    """The search that the levels of a question come from, if there was one."""
    search = answer.question.search
    if search is None:
        return None
    fresh, sign = _fresh(answer), 1 if answer.question.metrics[0].higher_is_better else -1
    luck, *ends = (sign * (search.best - mean) for mean in (fresh.mean, fresh.low, fresh.high))
    return Search(
        space=dict(search.space),
        runs=search.runs,
        failed=search.failed,
        best=search.best,
        fresh=fresh.mean,
        luck=luck,
        luck_interval=(min(ends), max(ends)),
    )


def promise_kept(words: Words, answer: QuestionAnswer) -> list[str]:
    """What was found, its metric on fresh seeds, and what the search had promised."""
    search, found = answer.question.search, search_of(answer)
    if not search or not found:
        return []
    metric, fresh = answer.question.metrics[0], _fresh(answer)

    def value(summary: Summary) -> str:
        number = numbers.metric_number(words, summary, metric)
        return f"{number}{GAP}%" if metric.unit == "fraction" else numbers.with_unit(number, metric)

    level = level_name(words, answer.levels[0].level)
    best = value(Summary(search.best, math.nan, math.nan, (search.best,)))
    n = len(fresh.values)
    if not n:
        return [words("searched.no_value", level=level, n=search.runs, best=best)]
    named = {"level": level, "metric": metric.name, "value": value(fresh)}
    sentences = [words.count("searched.found", n, **named)]
    low, _ = found.luck_interval
    key = "searched.luck" if low is not None and low > 0 else "searched.kept"
    luck = numbers.amount(words, metric, float(f"{found.luck or 0.0:.2g}"))
    sentences.append(words(key, n=search.runs, best=best, luck=luck))
    if answer.levels[0].level.knobs == search.baseline:
        sentences.append(words("searched.is_baseline"))
    return sentences


def searched(words: Words, answer: QuestionAnswer) -> list[str]:
    """What that is compared with, and where it was searched for."""
    if not (search := answer.question.search):
        return []
    others = [
        words(
            "searched.baseline" if level.level.knobs == search.baseline else "searched.second",
            level=level_name(words, level.level),
        )
        for level in answer.levels[1:]
    ]
    space = (
        f"{knob} {text if isinstance(text, str) else value_name(words.verbatim, text)}"
        + (f" ({words('searched.log')})" if knob in search.log else "")
        for knob, text in search.space.items()
    )
    failed = words.count("searched.failed", search.failed) if search.failed else ""
    return [
        words("searched.compared", levels=f" {words('and')} ".join(others)),
        words("searched.space", space="; ".join(space), n=search.runs, failed=failed),
    ]


def _fresh(answer: QuestionAnswer) -> Summary:
    return answer.levels[0].metrics[answer.question.metrics[0].name]
