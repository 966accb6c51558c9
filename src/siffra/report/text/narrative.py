"""Answers and verdicts in sentences, from the numbers: for reports and for the terminal."""

import math
from collections.abc import Sequence

from siffra.config import EstimatorModel
from siffra.config.metrics import METRICS
from siffra.lab.answers import Answers, ClaimAnswer, Edge, LevelAnswer, QuestionAnswer, Verdict
from siffra.lab.plan.plan import Claim, Level, Question
from siffra.lab.stats.estimates import Estimate
from siffra.report.model import VERDICTS, verdict_code
from siffra.report.text import numbers
from siffra.report.text.ablation import added_sentence
from siffra.report.text.labels import (
    confused_sets,
    knob_name,
    level_name,
    levels_name,
    sets_of,
    value_name,
)
from siffra.report.text.messages import Words, capital, words_in
from siffra.report.text.ranking import above_best, below_best, seen, slower, timed, times_as_long
from siffra.training.run import Record

MOST_RIVALS = 4
"""More levels than this that cannot be told from the best are counted, not named."""
FEW_SEEDS = 20
"""A number of seeds up to this that would decide a claim is told as it is, a larger one roughly."""


def answer_sentences(answer: QuestionAnswer, language: str = "en") -> list[str]:
    """The sentences of an answer; the first one is the answer.

    The level called best is the best on validation; its accuracy on test (and on the shifted
    sets, where they are asked about) is compared with the lowest of those that it is clearly
    better than. Where one thing at a time is taken from a recipe, the answer is what each adds.
    Collapsed and diverged runs, and a best value at the edge of what was tried, get a short
    sentence each.
    """
    words = words_in(language)
    if not any(level.records for level in answer.levels):
        return [f"{capital(words('answer.nothing'))}."]
    if not seen(answer):
        return [f"{capital(part)}." for part in _mishaps(words, answer)]
    parts = [added_sentence(words, answer) or _lead(words, answer)]
    parts += [_accuracies(words, answer, name) for name in _shifted_sets(answer)]
    parts += _mishaps(words, answer)
    parts += _edges(words, answer)
    return [f"{capital(part)}." for part in parts]


def verdict_name(words: Words, answer: ClaimAnswer) -> str:
    """`supported`, …; a claim about a longer training is `not tested at this length`."""
    if answer.verdict == "not tested" and answer.reason == "too short":
        return words("verdict.too_short")
    return words(f"verdict.{verdict_code(answer.verdict)}")


def comparison(words: Words, claim: Claim, question: Question) -> str:
    """What is compared: `accuracy on the test set, learning rate 0.02 against 0.7`."""
    metric = words(
        f"metric.{claim.metric}",
        on=words(f"on.{claim.on}"),
        target="" if claim.target is None else numbers.target(words, claim.target),
    )
    against = claim.against
    if isinstance(against, tuple):
        other = _levels_name(words, question, against)
    elif (unit := METRICS[claim.metric].unit) == "fraction":
        other = f"{words.exact(round(100 * against, 6))} %"
    else:
        other = words(f"quantity.{unit}", value=words.exact(against))
    level = _levels_name(words, question, claim.level)
    return words("comparison", metric=metric, level=level, against=other)


def evidence(words: Words, answer: ClaimAnswer) -> str:
    """Estimate, interval, n and margin, and what is unusual; for a claim without, why."""
    parts = []
    if answer.estimate is not None:
        value, interval = numbers.estimate_words(words, answer.claim, answer.estimate)
        level = numbers.confidence(words, answer.estimate.confidence)
        n = len(answer.estimate.values)
        # Of a single seed there is no interval to tell.
        known = not (math.isnan(answer.estimate.low) and math.isnan(answer.estimate.high))
        key = "evidence" if known else "evidence_alone"
        parts.append(words(key, value=value, level=level, interval=interval, n=n))
        if answer.estimate.censored:
            parts.append(words.count("censored", answer.estimate.censored))
    if answer.diverged:
        parts.append(words.count("diverged", answer.diverged))
    if answer.verdict == "inconclusive" and not answer.reason:
        needed = answer.seeds_needed
        parts.append(words("needs_many") if needed is None else words("needs", n=_about(needed)))
    if answer.reason:
        parts += _reason(words, answer)
    if answer.look is not None:
        parts.append(words("decided_at", n=answer.look))
    return "; ".join(parts)


def summary_sentence(answers: Answers, language: str = "en") -> str:
    """How many of a lab's claims were supported, refuted, and so on.

    Where not all are the lab author's, one sentence for each whose they are.
    """
    words = words_in(language)
    groups = claims_by(answers, words)
    if not groups:
        return words("summary.none")
    if groups.keys() == {""}:
        return _counted(words, "summary.claims", groups[""])
    return " ".join(
        _counted(words, "summary.claims_by" if by else "summary.claims_author", claims, by=by)
        for by, claims in groups.items()
    )


def busy_sentence(words: Words, records: Sequence[Record]) -> str:
    """How many runs were made on a busy machine, and how to make them again; "" if none was."""
    busy = sum(record.is_busy for record in records)
    return words.count("busy.runs", busy, of=len(records)) if busy else ""


def claims_by(answers: Answers, words: Words) -> dict[str, list[ClaimAnswer]]:
    """A lab's claims by whose they are: first, under no name, its author's, if there are any."""
    groups: dict[str, list[ClaimAnswer]] = {"": []}
    for question in answers.questions:
        groups.setdefault(words.say(question.question.by), []).extend(question.claims)
    return {by: claims for by, claims in groups.items() if claims}


def remarks(words: Words, level: LevelAnswer, edge: Sequence[Edge] | None) -> str:
    """What is unusual about a level, or chosen; `edge` is that of the best one (None: another)."""
    runs = len(level.records)
    parts = [words("table.best")] if edge is not None and level.trained else []
    parts += [_at_the_edge(words, side) for side in edge or ()]
    if down := sum(record.collapsed for record in level.records):
        parts.append(words("table.collapsed", down=down, n=runs))
    if level.diverged:
        parts.append(words("table.diverged", down=level.diverged, n=runs))
    if level.busy:
        parts.append(words("table.busy", down=level.busy, n=runs))
    parts += [f"{_knobs(words, spelled)} ({times} ×)" for spelled, times in level.retuned.items()]
    parts += [_at_the_edge(words, side) for side in level.edge]
    return "; ".join(parts)


def _at_the_edge(words: Words, edge: Edge) -> str:
    return words(f"table.edge_{edge.side}", knob=knob_name(words, edge.knob))


def _knobs(words: Words, spelled: str) -> str:
    """`learning rate = 0,1` for `learning_rate = 0.1`; there may be several."""
    pairs = [pair.partition(" = ") for pair in spelled.split(", ")]
    return ", ".join(
        f"{knob_name(words, knob)} = {value_name(words, _number(value))}" if mark else knob
        for knob, mark, value in pairs
    )


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _about(seeds: int) -> int:
    """A forecast of seeds, good to a factor of several: the larger ones to one digit, upwards."""
    unit = 10 ** (len(str(seeds)) - 1)
    return seeds if seeds <= FEW_SEEDS else -(-seeds // unit) * unit


def _reason(words: Words, answer: ClaimAnswer) -> list[str]:
    """Why a claim has this verdict, where that is to be told."""
    if answer.reason == "several machines":
        return [words.count("reason.several_machines", answer.left_out)]
    if answer.reason == "busy machine":
        return [words("reason.busy_machine", busy=answer.busy, runs=answer.runs)]
    key = f"reason.{answer.reason.replace(' ', '_')}"
    return [words(key, epochs=words.exact(answer.claim.epochs))] if key in words else []


def _counted(words: Words, key: str, claims: Sequence[ClaimAnswer], **values: str) -> str:
    """The text for so many claims, with how many have which verdict put in; of one, its verdict."""
    if len(claims) == 1:
        return words(f"{key}.one", counts=verdict_name(words, claims[0]), **values)
    counts: dict[Verdict, int] = {v: sum(c.verdict == v for c in claims) for v in VERDICTS}
    texts = [
        words.count(f"summary.{verdict_code(verdict)}", n) for verdict, n in counts.items() if n
    ]
    return words(f"{key}.other", n=len(claims), counts=words.listing(texts), **values)


def _lead(words: Words, answer: QuestionAnswer) -> str:
    lead = _times(words, answer) if _is_about_time(answer) else _accuracies(words, answer, "test")
    return _after(words, answer) + lead


def _after(words: Words, answer: QuestionAnswer) -> str:
    records = [record for level in answer.levels for record in level.records]
    if any(isinstance(record.model, EstimatorModel) for record in records):
        return ""
    lengths = {record.training.epochs for record in records}
    if len(lengths) != 1:
        return ""
    epochs = lengths.pop()
    if epochs == 1:
        return words("answer.after.one")
    return words("answer.after.other", n=value_name(words, epochs))


def _accuracies(words: Words, answer: QuestionAnswer, on: str) -> str:
    levels, chosen = seen(answer), answer.levels[answer.best]
    values = {
        "level": level_name(words, chosen.level),
        "accuracy": numbers.accuracy(words, chosen.accuracy[on]),
        "on": words(f"on.{on}"),
    }
    if len(levels) == 1:
        return words("answer.only", **values)
    if len(chosen.trained) < 2 or any(len(level.records) < 2 for level in levels):
        return words("answer.single_runs", **values)
    if above := above_best(answer, on):
        top = max(above, key=lambda level: level.accuracy[on].mean)
        return words("answer.beaten", **values, top=level_name(words, top.level))
    below = below_best(answer, on)
    if not below:
        return _tie(words, answer, on)
    worst = min(below, key=lambda level: level.accuracy[on].mean)
    gap = 100 * (chosen.accuracy[on].mean - worst.accuracy[on].mean)
    blur = 100 * math.hypot(*(numbers.half_width(x.accuracy[on]) for x in (chosen, worst)))
    gap_text = words.number(gap, numbers.decimals_for(blur))
    key = "answer.best_too" if on != "test" and _leads(answer) else "answer.best"
    text = words(key, **values, gap=gap_text, worst=level_name(words, worst.level))
    text += _rivals(words, [x.level for x in levels if x is not chosen and x not in below])
    return text + (_cost(words, answer) if on == "test" else "")


def _leads(answer: QuestionAnswer) -> bool:
    """Whether the sentence before has called the same level the best, on the test set."""
    if _is_about_time(answer):
        return False
    return bool(below_best(answer, "test")) and not above_best(answer, "test")


def _tie(words: Words, answer: QuestionAnswer, on: str) -> str:
    levels = seen(answer)
    means = [level.accuracy[on].mean for level in levels]
    worst = levels[means.index(min(means))]
    decimals = numbers.decimals_for(100 * numbers.half_width(worst.accuracy[on]))
    low, high = (words.number(100 * x, decimals) for x in (min(means), max(means)))
    key = "answer.tie_at" if low == high else "answer.tie"
    text = words(key, low=low, high=high, on=words(f"on.{on}"))
    if on != "test" or len(timed(answer)) < 2:
        return text
    fast, *_, slow = timed(answer)
    if not (ratio := times_as_long(answer, slow, fast)):
        return text
    return text + words(
        "answer.tie_time",
        fast=level_name(words, fast.level),
        slow=level_name(words, slow.level),
        **_factor(words, ratio),
    )


def _rivals(words: Words, rivals: Sequence[Level]) -> str:
    if len(rivals) > MOST_RIVALS:
        return words("answer.many_rivals", n=len(rivals))
    return words("answer.rivals", levels=levels_name(words, rivals)) if rivals else ""


def _cost(words: Words, answer: QuestionAnswer) -> str:
    """What the best costs in time; nothing where some level was timed on a busy machine alone."""
    chosen = answer.levels[answer.best]
    if len(timed(answer)) < len(seen(answer)):
        return ""
    fast, *_, slow = timed(answer)
    if not slower(answer, slow, fast):
        return words("answer.same_time")
    if chosen is fast:
        return words("answer.also_fastest")
    if not (ratio := times_as_long(answer, chosen, fast)):
        return words("answer.nearly_fastest")
    return words("answer.costs", fastest=level_name(words, fast.level), **_factor(words, ratio))


def _factor(words: Words, ratio: Estimate) -> dict[str, str]:
    """A ratio of times with its interval, for a sentence that has both."""
    low, high = (numbers.ratio(words, end) for end in (ratio.low, ratio.high))
    # Two or three seeds may leave the upper end anywhere.
    is_open = ratio.high > numbers.USELESS * ratio.value
    key = "quantity.at_least" if is_open else "quantity.from_to"
    interval = words(key, low=low, high=high)
    return {
        "factor": numbers.factor(words, ratio.value),
        "interval": words("quantity.factor", value=interval),
    }


def _times(words: Words, answer: QuestionAnswer) -> str:
    fast, *_, slow = timed(answer)
    if not (ratio := times_as_long(answer, slow, fast)):
        return words(
            "answer.equal_times",
            low=numbers.seconds(words, fast.seconds),
            high=numbers.seconds(words, slow.seconds),
        )
    return words(
        "answer.fastest",
        fast=level_name(words, fast.level),
        seconds=numbers.seconds(words, fast.seconds),
        slow=level_name(words, slow.level),
        **_factor(words, ratio),
        slow_seconds=numbers.seconds(words, slow.seconds),
    )


def _mishaps(words: Words, answer: QuestionAnswer) -> list[str]:
    """A sentence for all collapsed runs, one for all diverged, one for all on a busy machine."""
    levels = [level for level in answer.levels if level.records]
    down = {
        "collapsed": [sum(record.collapsed for record in level.records) for level in levels],
        "diverged": [level.diverged for level in levels],
        "busy": [level.busy for level in levels],
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


def _is_about_time(answer: QuestionAnswer) -> bool:
    claims = answer.question.claims
    return len(timed(answer)) > 1 and sum(c.metric == "seconds" for c in claims) * 2 > len(claims)


def _shifted_sets(answer: QuestionAnswer) -> list[str]:
    """The shifted sets, where a question is about them rather than about the test set."""
    shifted = [name for name in sets_of(answer.levels) if name != "test"]
    if "confusion" in answer.question.figures:
        return [name for name in confused_sets(answer.levels) if name in shifted]
    asked = {claim.on for claim in answer.question.claims if claim.metric == "accuracy"}
    return [] if "test" in asked else [name for name in shifted if name in asked]


def _levels_name(words: Words, question: Question, levels: Sequence[int]) -> str:
    name = levels_name(words, [question.levels[i] for i in levels])
    return name if len(levels) == 1 else words("mean_of", levels=name)
