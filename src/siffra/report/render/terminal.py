"""Answers in plain text, for terminals: sentences, tables, plots and verdicts."""

import math
from collections.abc import Iterable, Sequence

from siffra.config import Setting, SteplessModel
from siffra.data.dataset import Dataset
from siffra.lab.stats.summaries import Summary
from siffra.report.model import Question, Report
from siffra.report.model.claims import Claim
from siffra.report.model.measured import Level
from siffra.report.text import numbers
from siffra.report.text.labels import sets_of
from siffra.report.text.messages import GAP, Words, capital
from siffra.report.text.tables import (
    added_table,
    collapsed_text,
    failure_heading,
    has_times,
)

PLOT_WIDTH = 48
"""Characters between the ends of a plot's axis."""
_SEED, _MEAN = "∘", "●"


def one_step_note(words: Words, settings: Iterable[Setting], dataset: Dataset) -> str:
    """That batches of some settings are larger than the training set; empty if none are."""
    images = len(dataset.train)
    networks = (s for s in settings if not isinstance(s.model, SteplessModel))
    sizes = {network.training.batch_size for network in networks}
    larger = sorted(size for size in sizes if size > images)
    if not larger:
        return ""
    noun = words("cost.rows" if dataset.features else "cost.images")
    listed = words.listing(words.exact(size) for size in larger)
    return words("cost.one_step", sizes=listed, images=words.exact(images), noun=noun)


def lab_text(report: Report) -> str:
    """What a lab found: a lone question in full, of several a sentence and their verdicts."""
    words = report.words
    shortened = report.shortened.text if report.shortened else ""
    if len(report.questions) == 1 and not report.experiments:
        blocks = [shortened, answer_text(report.questions[0], words)]
        if report.limits:
            title = f"{words('head.limits')}:"
            blocks.append("\n".join([title, *(f"- {limit}" for limit in report.limits)]))
    else:
        blocks = [
            "\n".join(filter(None, (report.title, report.byline, report.summary))),
            shortened,
            report.course_text,
            report.busy_text,
        ]
        blocks += [_brief(question, words) for question in report.questions]
    # Nobody could search for a no-break space.
    return "\n\n".join(block for block in blocks if block).replace(GAP, " ")


def answer_text(question: Question, words: Words) -> str:
    """All that a question's runs say, in lines of text."""
    busy = any(level.busy for level in question.levels)
    blocks = [
        [question.answer],
        _added_lines(words, question),
        [
            *text_table(*levels_table(question, words)),
            *([f"* {words('busy.note')}"] if busy else []),
        ],
        failure_lines(question),
        dot_plot(question, words),
        [claim.sentence for claim in question.claims],
        [interaction.sentence for interaction in question.interactions],
        [fixed_line(question, words)],
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines).replace(GAP, " ")


def levels_table(question: Question, words: Words) -> tuple[list[str], list[list[str]]]:
    """Headings, and a row for each level: accuracies in %, training seconds, number of runs.

    Seconds of which some were taken on a busy machine are marked with an asterisk.
    """
    sets, metrics = sets_of(question.levels), [metric.name for metric in question.metrics]
    any_time = has_times(question.levels)
    any_failed = any(level.collapsed for level in question.levels)
    headings = [
        question.heading,
        *metrics,
        *(f"{words(f'set.{name}')} %" for name in sets),
        *([words("table.run_seconds")] if any_time else []),
        *([words(failure_heading(metrics))] if any_failed else []),
        "n",
    ]
    rows = [
        [
            level.name,
            *(level.metrics[name].text for name in metrics),
            *(level.accuracy[name].text for name in sets),
            *([level.seconds.text + "*" * bool(level.busy)] if any_time else []),
            *([collapsed_text(words, level)] if any_failed else []),
            _runs(words, level),
        ]
        for level in question.levels
    ]
    return headings, rows


def percent(fraction: float | None) -> str:
    """`97.10%`, of an accuracy; a dash where there is none, as of a run that diverged."""
    return "–" if fraction is None else f"{fraction:.2%}"


def text_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines with columns aligned: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = []
    for row in (headings, ["─" * width for width in widths], *rows):
        first, *others = zip(row, widths, strict=True)
        cells = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        lines.append("  ".join(cells).rstrip())
    return lines


def failure_lines(question: Question) -> list[str]:
    """Why runs failed: a line for each level with such runs."""
    return [level.failure_text for level in question.levels if level.failure_text]


def dot_plot(question: Question, words: Words) -> list[str]:
    """A line for each level: every seed's score, their mean, and its interval; none without any.

    The score is the question's main metric, or accuracy on the test set.
    """
    main = question.metrics[0] if question.metrics else None
    summaries = [
        (level.metrics[main.name] if main else level.accuracy["test"]).as_estimated()
        for level in question.levels
    ]
    if not any(summary.values for summary in summaries):
        return []
    low, high = _range(summaries)
    names = [level.name for level in question.levels]
    margin = max(map(len, names))
    if main is None or main.unit == "fraction":
        decimals = numbers.decimals_for((high - low) * 100 / 2)
        ends = [f"{words.number(100 * end, decimals)}{GAP}%" for end in (low, high)]
    else:
        ends = numbers.plain_ends(words, low, high)
    lines = [
        f"{name:<{margin}} │{_strip(summary, low, high)}│"
        for name, summary in zip(names, summaries, strict=True)
    ]
    axis = ends[0] + ends[1].rjust(PLOT_WIDTH - len(ends[0]))
    legend = f"{_SEED} {words('figure.each_seed')}, ├{_MEAN}┤ {words('figure.mean_interval')}"
    title = main.name if main else capital(words("metric.accuracy", on=words("on.test")))
    title = f"{title}: {legend}"
    return [title, *lines, f"{'':<{margin}}  {axis}"]


def fixed_line(question: Question, words: Words) -> str:
    """What was held fixed, in one line."""
    return f"{words('claim.fixed')}: {question.fixed_text}"


def _brief(question: Question, words: Words) -> str:
    """A question of several: its answer, and a line or two for each verdict."""
    lines = [
        question.answer,
        *_added_lines(words, question),
        *failure_lines(question),
        *(line for claim in question.claims for line in _claim_lines(claim)),
        *(f"{found.verdict_text:<25} {found.finding}" for found in question.interactions),
        fixed_line(question, words),
    ]
    return "\n".join([f"({question.id}) {question.ask}", *(f"    {line}" for line in lines)])


def _claim_lines(claim: Claim) -> list[str]:
    """A claim behind its verdict, and below it what that rests on."""
    line = f"{claim.verdict_text:<25} {claim.say}"
    return [line, f"{'':26}{capital(claim.evidence)}."] if claim.evidence else [line]


def _runs(words: Words, level: Level) -> str:
    down = level.diverged
    return words("table.diverged", down=down, n=level.n) if down else str(level.n)


def _added_lines(words: Words, question: Question) -> list[str]:
    """What each ingredient of a recipe adds, as a table, where that is asked."""
    table = added_table(words, question)
    if table is None:
        return []
    return [f"{words('head.added')}:", *text_table(*table.texts), question.added_text]


def _strip(summary: Summary, low: float, high: float) -> str:
    def column(value: float) -> int:
        return round((min(max(value, low), high) - low) / (high - low) * (PLOT_WIDTH - 1))

    strip = [" "] * PLOT_WIDTH
    if math.isfinite(summary.low):
        first, last = column(summary.low), column(summary.high)
        strip[first : last + 1] = "─" * (last + 1 - first)
        strip[first], strip[last] = "├", "┤"
    for value in summary.values:
        strip[column(value)] = _SEED
    if summary.values:
        strip[column(summary.mean)] = _MEAN
    return "".join(strip)


def _range(summaries: Sequence[Summary]) -> tuple[float, float]:
    """From the lowest to the highest that is to be shown, never of no width."""
    shown = [x for s in summaries for x in (*s.values, s.low, s.high) if math.isfinite(x)]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    return (low, high) if high > low else (low - 0.005, high + 0.005)
