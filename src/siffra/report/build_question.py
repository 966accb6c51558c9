"""From an answer to what a report has of it: a question with claims and levels, an experiment."""

from collections.abc import Collection, Sequence
from typing import Any

from siffra.config import metrics
from siffra.lab.answers import (
    ClaimAnswer,
    ExperimentAnswer,
    LevelAnswer,
    QuestionAnswer,
)
from siffra.lab.plan import plan
from siffra.lab.stats import collapse, summaries
from siffra.lab.stats.comparison import Comparison
from siffra.lab.stats.diagnostics import WAYS, BySeed, Way, by_seed, places, shift_curve
from siffra.lab.stats.rounds import involved
from siffra.lab.stats.summaries import CONFIDENCE
from siffra.lab.stats.time_to_target import targets_of, time_to_target
from siffra.report.model import (
    Added,
    Figure,
    Question,
)
from siffra.report.model.claims import Claim
from siffra.report.model.measured import (
    Experiment,
    Level,
    Metric,
    Share,
    ShiftCurve,
    Summary,
    Target,
    Times,
)
from siffra.report.text import numbers
from siffra.report.text.ablation import added_note, ingredient_name
from siffra.report.text.claimed import against_itself
from siffra.report.text.failures import failure_text
from siffra.report.text.findings import is_judged
from siffra.report.text.ingredients import ingredients
from siffra.report.text.interactions import interactions
from siffra.report.text.labels import (
    held_fixed,
    knobs_name,
    level_name,
    short_level_name,
    varied_name,
)
from siffra.report.text.messages import Words, capital
from siffra.report.text.narrative import answer_sentences, no_time, remarks
from siffra.report.text.searched import search_of
from siffra.report.text.surprises import missed
from siffra.report.text.verdicts import (
    SIFFRA,
    comparison,
    estimate_texts,
    evidence,
    unbounded_text,
    verdict_name,
)
from siffra.training.examination import Examined


def build_question(
    answer: QuestionAnswer,
    words: Words,
    examined: Examined | None = None,
    figures: Sequence[Figure] = (),
    seeds: Collection[int] = (),
) -> Question:
    """A question with its answer; networks of the `seeds` should have been examined."""
    question, sentences = answer.question, answer_sentences(answer, words)
    has_best = not question.metrics and not answer.untrained
    return Question(
        id=question.id,
        ask=words.say(question.ask),
        lead=sentences[0],
        more=tuple(sentences[1:]),
        answer=" ".join(sentences),
        note=words.say(question.note),
        search=search_of(answer),
        by=words.say(question.by) or None,
        vary=question.vary,
        varied_text=varied_name(words, question),
        metrics=tuple(Metric.model_validate(metric) for metric in question.metrics),
        retune=question.retune,
        fixed=dict(question.fixed),
        fixed_text=held_fixed(words, question),
        claims=tuple(
            build_claim(claim, question, words, runs_of(answer, claim)) for claim in answer.claims
        ),
        levels=tuple(
            _level(level, has_best and i == answer.best, answer, words, examined)
            for i, level in enumerate(answer.levels)
        ),
        edge=tuple(edge.knob for edge in answer.edge),
        untrained=answer.untrained,
        untrained_text=f"{capital(no_time(words, answer))}." if answer.untrained else "",
        first_look=answer.first_look or None,
        added=_added(answer, words),
        added_text=added_note(words, answer),
        interactions=interactions(words, answer),
        figures=tuple(figures),
        figures_text=_shown_in(words, figures),
        unexamined_text=_unexamined(words, answer, examined, seeds),
    )


def _shown_in(words: Words, figures: Sequence[Figure]) -> str:
    """The figures of the answer: of the results, or of the networks where that is all."""
    results = [figure for figure in figures if figure.shows_results] or figures
    if not results:
        return ""
    first, last = results[0].number, results[-1].number
    return words.count("head.shown_in", len(results), first=first, last=last)


def _unexamined(
    words: Words, answer: QuestionAnswer, examined: Examined | None, seeds: Collection[int]
) -> str:
    if not plan.EXAMINED & set(answer.question.figures):
        return ""
    runs = [r for level in answer.levels for r in level.trained if r.seed in seeds]
    missing = len(runs) - sum(len(by_seed([run], examined)) for run in runs)
    return words.count("head.unexamined", missing, of=len(runs)) if missing else ""


def runs_of(answer: QuestionAnswer, claim: ClaimAnswer) -> int:
    """The runs that each of a claim's levels has, or more."""
    return min(len(answer.levels[i].records) for i in involved(claim.claim))


def build_claim(answer: ClaimAnswer, question: plan.Question, words: Words, runs: int = 0) -> Claim:
    """A claim with its verdict; `runs` are those that each of its levels has by now."""
    claim, estimate = answer.claim, answer.estimate
    estimate_text, interval_text = estimate_texts(words, answer)
    by = words.say(question.author_of(claim))
    is_missed = answer.verdict == "refuted" and estimate and answer.basis != "collapse"
    return Claim(
        id=claim.id,
        say=words.say(claim.say),
        verdict=answer.verdict,
        grade=answer.grade,
        basis=answer.basis,
        collapsed=answer.collapsed,
        by=by or None,
        by_text=words("claim.reading", by=by) if by == SIFFRA and not question.by else by,
        estimate=estimate.value if estimate else None,
        interval=(estimate.low, estimate.high) if estimate else None,
        n=len(estimate.values) if estimate else 0,
        fixed=dict(question.fixed),
        confidence=estimate.confidence if estimate else None,
        scale=estimate.scale if estimate else None,
        shown_in=numbers.unit_of(claim, against_itself(claim, estimate)) if estimate else None,
        values=estimate.values if estimate else (),
        censored=estimate.censored if estimate else 0,
        seeds_needed=answer.seeds_needed,
        reason=answer.reason,
        diverged=answer.diverged,
        look=answer.look,
        first_look=answer.first_look,
        degrees_of_freedom=estimate.freedom if estimate else None,
        reported=words.say(claim.reported),
        metric=claim.metric,
        named=Metric.model_validate(claim.named) if claim.named else None,
        on=claim.on,
        target=claim.target,
        level=claim.level,
        against=claim.against,
        times=claim.times,
        plus=claim.plus,
        direction=claim.direction,
        margin=claim.margin,
        epochs=claim.epochs,
        verdict_text=verdict_name(words, answer),
        compared=comparison(words, claim, question),
        missed_text=f"{capital(missed(words, answer))}." if is_missed else "",
        estimate_text=estimate_text,
        interval_text=interval_text,
        confidence_text=numbers.confidence(words, estimate.confidence) if estimate else "",
        unbounded_text=unbounded_text(words, answer),
        evidence=evidence(words, answer, runs),
        margin_text=words("claim.margin", margin=numbers.margin_words(words, claim))
        if estimate and claim.margin
        else "",
    )


def _level(
    answer: LevelAnswer,
    best: bool,
    question: QuestionAnswer,
    words: Words,
    examined: Examined | None,
) -> Level:
    edge = question.edge if best and len(question.levels) > 1 else None
    return Level(
        **_measured(answer, words, examined),
        metrics=_metrics(answer, question.question.metrics, words),
        name=short_level_name(words, answer.level),
        label=words.say(answer.level.name),
        knobs=dict(answer.level.knobs),
        fixed=question.question.fixed_at(answer.level),
        settings=tuple(setting.knobs() for setting in answer.level.settings),
        best=best and bool(answer.trained),
        targets=tuple(_target(answer, claim) for claim in targets_of(question.question)),
        retuned=dict(answer.retuned),
        edge=tuple(edge.knob for edge in answer.edge),
        reported=dict(answer.level.reported),
        failure_text=failure_text(words, level_name(words, answer.level), answer.records),
        remarks=remarks(
            words, answer, edge, 0 if is_judged(question, answer) else question.first_runs
        ),
    )


def build_experiment(
    answer: ExperimentAnswer, words: Words, examined: Examined | None
) -> Experiment:
    experiment, n = answer.experiment, len(answer.records)
    knobs = experiment.setting.knobs()
    diverged = answer.diverged
    marks = [words("table.diverged", down=diverged, n=n)] if diverged else []
    if answer.first_look:
        marks.append(words("table.no_time", time=numbers.span(words, answer.first_look)))
    return Experiment(
        **_measured(answer, words, examined),
        metrics=_metrics(answer, experiment.metrics, words),
        named=tuple(Metric.model_validate(metric) for metric in experiment.metrics),
        id=experiment.id,
        name=words.say(experiment.name),
        note=words.say(experiment.note),
        knobs=knobs,
        knobs_text=capital(knobs_name(words, knobs)),
        reported=dict(experiment.reported),
        first_look=answer.first_look or None,
        remarks="; ".join(marks),
    )


def _metrics(
    answer: LevelAnswer | ExperimentAnswer, measured: Sequence[metrics.Metric], words: Words
) -> dict[str, Summary]:
    return {
        metric.name: _summary(summary, numbers.metric_number(words, summary, metric))
        for metric in measured
        for summary in (answer.metrics[metric.name],)
    }


def _measured(
    answer: LevelAnswer | ExperimentAnswer, words: Words, examined: Examined | None
) -> dict[str, Any]:
    """The fields that levels and experiments share."""
    by_run = by_seed(answer.records, examined)
    down = sum(record.collapsed or bool(record.failure) for record in answer.records)
    is_shifted = bool(by_run) and all(examination.map for examination in by_run.values())
    return {
        "n": len(answer.records),
        "seeds": tuple(record.seed for record in answer.records),
        "keys": tuple(record.key for record in answer.records),
        "accuracy": {
            name: _summary(summary, numbers.accuracy_number(words, summary))
            for name, summary in answer.accuracy.items()
        },
        "seconds": _summary(answer.seconds, numbers.seconds_number(words, answer.seconds)),
        "diverged": answer.diverged,
        "collapsed": down,
        "collapse": _share(down, len(answer.records)) if answer.records else None,
        "busy": answer.busy,
        "diverged_seeds": tuple(record.seed for record in answer.records if record.diverged),
        "shifts": {way: _shift_curve(by_run, way) for way in WAYS} if is_shifted else None,
    }


def _share(k: int, n: int) -> Share:
    low, high = collapse.Share(k, n).interval()
    return Share(k=k, n=n, low=low, high=high)


def _summary(summary: summaries.Summary, text: str) -> Summary:
    ends = summary.low, summary.high
    text = text if summary.values else "–"
    return Summary(mean=summary.mean, interval=ends, values=summary.values, text=text)


def _shift_curve(examinations: BySeed, way: Way) -> ShiftCurve:
    curve = shift_curve(examinations, way)
    ends = zip(curve.low.tolist(), curve.high.tolist(), strict=True)
    return ShiftCurve(at=places(way), mean=curve.mean.tolist(), interval=tuple(ends))


def _target(answer: LevelAnswer, claim: plan.Claim) -> Target:
    when = time_to_target(answer.records, claim)
    return Target(
        on=when.on,
        target=when.target,
        epochs=Times(median=when.median_epochs, values=when.epochs),
        seconds=Times(median=when.median_seconds, values=when.seconds),
        never=when.never,
    )


def _added(answer: QuestionAnswer, words: Words) -> tuple[Added, ...] | None:
    """What each ingredient of a recipe adds; None for other questions."""
    recipe = ingredients(answer)
    if recipe is None:
        return None
    return tuple(
        Added(
            without=answer.levels.index(part.without),
            name=ingredient_name(words, recipe.whole, part.without),
            n=part.seeds,
            accuracy={name: _change(words, c, scale=100) for name, c in part.accuracy.items()},
            seconds=_change(words, part.seconds),
        )
        for part in recipe.parts
    )


def _change(words: Words, comparison: Comparison, scale: int = 1) -> Summary | None:
    if not comparison.seeds:
        return None
    estimate = comparison.estimate(1 - CONFIDENCE)
    return Summary(
        mean=estimate.value,
        interval=(estimate.low, estimate.high),
        values=estimate.values,
        text=numbers.change(words, estimate, scale=scale),
    )
