"""Answers in sentences, from what was decided: for reports and for the terminal.

First come what a question's claims have shown and what they make likely, then how its levels
stand, as far as `siffra.report.text.findings` lets it be said. No level is called best that is
not shown above the second, no two are called alike, and no time is a factor without an interval.
"""

from collections.abc import Sequence

from siffra.config import SteplessModel
from siffra.lab.answers import Edge, LevelAnswer, QuestionAnswer
from siffra.lab.plan.plan import Level
from siffra.lab.stats.comparison import LARGE, Estimate
from siffra.lab.stats.decisions import FEWEST_IF_LARGE
from siffra.lab.stats.estimates import failed
from siffra.lab.stats.summaries import summarise
from siffra.report.text import numbers
from siffra.report.text.ablation import added_sentence
from siffra.report.text.decided import decided_sentences, factor_words
from siffra.report.text.findings import (
    Findings,
    Standing,
    differs,
    findings,
    is_about_time,
    seen,
    timed,
    trained_runs,
)
from siffra.report.text.labels import knob_name, level_name, levels_name, value_name
from siffra.report.text.messages import Words, capital
from siffra.report.text.searched import promise_kept, searched
from siffra.report.text.verdicts import large_words
from siffra.training.run import Record

MOST_NAMED = 4
"""More levels than this that stand side by side are counted, not named."""


def answer_sentences(answer: QuestionAnswer, words: Words) -> list[str]:
    """The sentences of an answer; the first one is the answer.

    Collapsed and diverged runs, and a best value at the edge of what was tried, get a short
    sentence each. Where one thing at a time is taken from a recipe, the answer is what each adds.
    """
    if not any(level.records for level in answer.levels):
        return [f"{capital(no_time(words, answer) or words('answer.nothing'))}."]
    # Where training was cut short, whatever is said first of its results says how short it was.
    is_cut = any(level.level.cut for level in answer.levels)
    after = _after(words, answer, "head.after") if is_cut else ""
    decided = decided_sentences(words, answer, after and f" {after}")
    parts = decided or _nothing_shown(words, answer)
    parts = [*parts, no_time(words, answer)]
    if seen(answer):
        found = findings(answer)
        prefix = "" if after and decided else _after(words, answer, "answer.after")
        standing = _standing(words, answer, found, prefix)
        parts += [added_sentence(words, found)] if found.recipe else standing
    parts += _mishaps(words, answer)
    parts += _edges(words, answer)
    said = [f"{capital(part)}." for part in parts if part]
    return [*promise_kept(words, answer), *said, *searched(words, answer)]


def _nothing_shown(words: Words, answer: QuestionAnswer) -> list[str]:
    """That no difference is shown, or none was tested, where nothing but claims would say so."""
    names = [metric.name for metric in answer.question.metrics]
    if all(record.failure for level in answer.levels for record in level.records):
        return [words("answer.all_failed")]
    if names and not answer.claims:
        return [words("answer.untested")]
    runs = [len(level.records) for level in answer.levels]
    seeds = numbers.over_seeds(words, "answer.seeds", runs)
    return [words("answer.open", seeds=seeds, metrics=words.listing(names))] if names else []


def busy_sentence(words: Words, records: Sequence[Record], *, any_timed: bool) -> str:
    """How many runs were made on a busy machine; "" if none was.

    If any claim is about times that are measured by turns, also that they are not affected.
    """
    busy = sum(record.is_busy for record in records)
    if not busy:
        return ""
    text = words.count("busy.runs", busy, of=len(records))
    return f"{text} {words('busy.by_turns')}" if any_timed else text


def no_time(words: Words, answer: QuestionAnswer) -> str:
    """Which levels had no time for a first look, and how many runs; "" if all had one."""
    by_runs: dict[int, list[Level]] = {}
    for i in answer.untrained:
        by_runs.setdefault(len(answer.levels[i].records), []).append(answer.levels[i].level)
    time = numbers.span(words, answer.first_look)
    if by_runs.keys() == {0} and not answer.judged:
        return words("answer.no_time", time=time)
    levels = "; ".join(
        words(
            "answer.few" if n else "answer.none",
            levels=levels_name(words, by_runs[n]),
            n=n,
            of=answer.first_runs,
        )
        for n in sorted(by_runs, reverse=True)
    )
    return words("answer.no_time_for", levels=levels, time=time) if levels else ""


def remarks(words: Words, level: LevelAnswer, edge: Sequence[Edge] | None, fewest: int = 0) -> str:
    """What is unusual about a level, or chosen; `edge` is that of the best one (None: another).

    One with fewer runs than its first look takes, of `fewest`, is not judged.
    """
    runs = len(level.records)
    parts = [words("table.best")] if edge is not None and level.trained else []
    parts += [_at_the_edge(words, side) for side in edge or ()]
    if fewest and runs:
        parts.append(words("table.few", of=fewest))
    if level.diverged:
        parts.append(words("table.diverged", down=level.diverged, n=runs))
    parts += [
        f"{knob_name(words, knob)} = {value_name(words, value)}"
        for knob, value in level.retuned.items()
    ]
    parts += [_at_the_edge(words, side) for side in level.edge]
    return "; ".join(parts)


def _at_the_edge(words: Words, edge: Edge) -> str:
    return words(f"table.edge_{edge.side}", knob=knob_name(words, edge.knob))


def _standing(words: Words, answer: QuestionAnswer, found: Findings, prefix: str = "") -> list[str]:
    """How the levels stand: in time, where that is asked, and on each set that is told of."""
    parts = [_stands(words, answer, standing) for standing in found.standings.values()]
    if is_about_time(answer):
        parts.insert(0, _times(words, answer, found))
    elif found.times:
        parts.insert(1, _apart(words, found, "times"))
    sentences = [part for part in parts if part]
    return [prefix + sentences[0], *sentences[1:]] if sentences else []


def _after(words: Words, answer: QuestionAnswer, key: str) -> str:
    """`after 3 epochs`; "" where that is not one length of all runs."""
    records = [record for level in answer.levels for record in level.records]
    if any(isinstance(record.model, SteplessModel) for record in records):
        return ""
    lengths = {record.training.epochs for record in records}
    if len(lengths) != 1:
        return ""
    epochs = lengths.pop()
    if epochs == 1:
        return words(f"{key}.one")
    return words(f"{key}.other", n=value_name(words, epochs))


def _stands(words: Words, answer: QuestionAnswer, standing: Standing) -> str:
    """Which level is best on a set, or among which that is open; "" if none trains."""
    order, levels = standing.ranking.order, standing.levels
    if not order:
        return ""
    on = words(f"on.{standing.on}")
    if standing.any and answer.untrained:  # "all others" are not all
        on = words("answer.of_trained", on=on)
    if any(failed([record]) for level in levels for record in level.records):
        on = words("answer.of_those", on=on)
    names = {"level": level_name(words, levels[order[0]].level), "on": on}
    names["accuracy"] = numbers.accuracy(words, standing.accuracy[order[0]])
    if len(order) == 1:
        return words("answer.only", **names)
    if max(len(level.records) for level in levels) == 1:
        return words("answer.single_runs", **names)
    if standing.ranking.is_best:
        names["second"] = level_name(words, levels[order[1]].level)
        names["seconds_accuracy"] = numbers.accuracy(words, standing.accuracy[order[1]])
        only_two = "_of_two" if len(order) == 2 else ""
        if standing.lead is None:
            return words(f"answer.claimed_best{only_two}", **names)
        return words(f"answer.best{only_two}", **names, **_lead(words, standing.lead))
    if not standing.any:
        return _unranked(words, standing, on)
    rivals = standing.leaders[1:]
    if len(rivals) > MOST_NAMED:
        shown = len(standing.ranking.below)
        return words("answer.many_highest", n=shown, of=len(order) - 1, **names)
    text = words("answer.highest", **names, **_side_by_side(words, standing, rivals))
    return _with_large(words, standing, rivals, text)


def _with_large(words: Words, standing: Standing, rivals: Sequence[int], text: str) -> str:
    """The text, with why rivals that are far below the first are not shown to be below it."""
    far = [standing.levels[i].level for i in rivals if _is_large(standing, i)]
    if not far:
        return text
    values = large_words(words)
    return words("answer.large", text=text, levels=levels_name(words, far), **values)


def _unranked(words: Words, standing: Standing, on: str) -> str:
    """That no level is shown above another on a set, with their accuracies."""
    order, levels = standing.ranking.order, standing.levels
    seeds = numbers.over_seeds(words, "answer.seeds", [len(level.records) for level in levels])
    if len(order) <= MOST_NAMED:
        side_by_side = _side_by_side(words, standing, order)
        return words("answer.unranked", on=on, seeds=seeds, **side_by_side)
    means = [100 * accuracy.mean for accuracy in standing.accuracy]
    widest = max(numbers.half_width(accuracy) for accuracy in standing.accuracy)
    decimals = numbers.decimals_for(100 * widest)
    low, high = (words.number(mean, decimals) for mean in (min(means), max(means)))
    return words("answer.many_unranked", on=on, seeds=seeds, n=len(order), low=low, high=high)


def _side_by_side(words: Words, standing: Standing, places: Sequence[int]) -> dict[str, str]:
    """Some levels, and their accuracies in the same order."""
    return {
        "levels": levels_name(words, [standing.levels[i].level for i in places]),
        "accuracies": words.listing(_accuracy_of(words, standing, i) for i in places),
    }


def _accuracy_of(words: Words, standing: Standing, place: int) -> str:
    """A level's accuracy on a set, over the runs that train; of less than all, that is said."""
    text = numbers.accuracy(words, standing.accuracy[place])
    level = standing.levels[place]
    trained, runs = len(trained_runs(level)), len(level.records)
    return text if trained == runs else words("answer.of_runs", text=text, k=trained, n=runs)


def _is_large(standing: Standing, place: int) -> bool:
    """Whether the first is so far above a level that this takes more seeds than there are."""
    first = standing.accuracy[standing.ranking.first]
    other = standing.accuracy[place]
    seeds = min(len(first.values), len(other.values))
    return seeds < FEWEST_IF_LARGE and first.mean - other.mean > LARGE


def _lead(words: Words, lead: Estimate) -> dict[str, str]:
    """How far the best is above the second, with the interval."""
    decimals = numbers.decimals_for(100 * max(lead.high - lead.value, lead.value - lead.low))
    gap, low, high = (words.number(100 * x, decimals) for x in (lead.value, lead.low, lead.high))
    gap = numbers.quantity(words, "points", gap)
    return {"gap": gap, "interval": words("quantity.from_to", low=low, high=high)}


def _times(words: Words, answer: QuestionAnswer, found: Findings) -> str:
    """The answer to a question about training time."""
    if found.times:
        return _apart(words, found, "times_lead")
    fast, *_, slow = timed(answer)
    shown = any(differs(claim) for claim in answer.claims if claim.claim.metric == "seconds")
    return words(
        "answer.times_range" if shown else "answer.times_open",
        low=numbers.seconds(words, summarise(fast.timed, "ratio")),
        high=numbers.seconds(words, summarise(slow.timed, "ratio")),
    )


def _apart(words: Words, found: Findings, key: str) -> str:
    times = found.times
    assert times is not None
    return words(
        f"answer.{key}",
        fast=level_name(words, times.fast.level),
        slow=level_name(words, times.slow.level),
        fast_seconds=numbers.seconds(words, summarise(times.fast.timed, "ratio")),
        slow_seconds=numbers.seconds(words, summarise(times.slow.timed, "ratio")),
        **factor_words(words, times.ratio),
    )


def _mishaps(words: Words, answer: QuestionAnswer) -> list[str]:
    """A sentence for all collapsed runs, and one for all diverged."""
    levels = [level for level in answer.levels if level.records]
    down = {
        "collapsed": [sum(record.collapsed for record in level.records) for level in levels],
        "diverged": [level.diverged for level in levels],
        "failed": [sum(bool(r.failure) for r in level.records) for level in levels],
    }
    sentences = []
    for kind, counts in down.items():
        hit = [level for level, count in zip(levels, counts, strict=True) if count]
        if hit:
            name = levels_name(words, [level.level for level in hit])
            runs = sum(len(level.records) for level in hit)
            sentences.append(words.count(f"answer.{kind}", runs, level=name, down=sum(counts)))
    return sentences


def _edges(words: Words, answer: QuestionAnswer) -> list[str]:
    """One sentence for each knob whose best value, or the one chosen at a level, is outermost."""
    sentences = [
        words(f"answer.edge_{edge.side}", knob=knob_name(words, edge.knob)) for edge in answer.edge
    ]
    at: dict[Edge, list[Level]] = {}
    for level in answer.levels:
        for edge in level.edge:
            at.setdefault(edge, []).append(level.level)
    return sentences + [
        words(
            f"answer.retuned_{edge.side}",
            levels=levels_name(words, levels),
            knob=knob_name(words, edge.knob),
        )
        for edge, levels in at.items()
    ]
