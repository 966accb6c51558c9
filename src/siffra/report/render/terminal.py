"""Answers in plain text, for terminals: sentences, tables, plots and verdicts."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial

from siffra.config import Setting, SteplessModel
from siffra.data.dataset import Dataset
from siffra.lab.stats.summaries import Summary
from siffra.report.model import Question, Report, measured
from siffra.report.model.claims import Claim, Interaction
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

PLOT_WIDTH, BRIEF_WIDTH = 48, 30
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


def lab_text(report: Report, *, verbose: bool = False) -> str:
    """What a lab found.

    A lone question is told in full, and so are all if it is to be `verbose`. Of several there is
    a line for each level and for each claim; then come the tally and what surprises most.
    """
    words = report.words
    shortened = report.shortened.text if report.shortened else ""
    if len(report.questions) == 1 and not report.experiments:
        blocks = [shortened, answer_text(report.questions[0], words)]
        if report.limits:
            title = f"{words('head.limits')}:"
            blocks.append("\n".join([title, *(f"- {limit}" for limit in report.limits)]))
    else:
        found = [each for q in report.questions for each in (*q.claims, *q.interactions)]
        wide = max((len(_verdict(each, words)) for each in found), default=0)
        tell = _in_full if verbose else partial(_brief, wide=wide)
        blocks = [
            "\n".join(filter(None, (report.title, report.byline))),
            shortened,
            *(tell(question, words) for question in report.questions),
            report.course_text,
            report.busy_text,
            " ".join(filter(None, (report.summary, report.runs_text))),
            *_surprises(report, words),
        ]
    # Nobody could search for a no-break space.
    return "\n\n".join(block for block in blocks if block).replace(GAP, " ")


def answer_text(question: Question, words: Words) -> str:
    """All that a question's runs say, in lines of text."""
    blocks = [
        [question.answer],
        _added_lines(words, question),
        [*text_table(*levels_table(question, words)), *busy_lines(question, words)],
        failure_lines(question),
        dot_plot(question, words),
        [claim.sentence for claim in question.claims],
        [interaction.sentence for interaction in question.interactions],
        [fixed_line(question, words)],
    ]
    return "\n\n".join("\n".join(lines) for lines in blocks if lines).replace(GAP, " ")


def busy_lines(question: Question, words: Words) -> list[str]:
    """What the asterisks in `levels_table` mean, if it has any."""
    return [f"* {words('busy.note')}"] if any(level.busy for level in question.levels) else []


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


def dot_plot(question: Question, words: Words, *, brief: bool = False) -> list[str]:
    """A line for each level: every seed's score, their mean, and its interval; none without any.

    In `brief` the number stands beside, and there is no axis.
    """
    title, scores = plotted(question, words)
    summaries = [summary.as_estimated() for summary in scores]
    if not any(summary.values for summary in summaries):
        return []
    low, high = plot_range(summaries)
    names = [level.name for level in question.levels]
    margin = max(map(len, names))
    in_percent = not question.metrics or question.metrics[0].unit == "fraction"
    width = BRIEF_WIDTH if brief else PLOT_WIDTH
    lines = [
        f"{name:<{margin}} │{_strip(summary, low, high, width)}│"
        for name, summary in zip(names, summaries, strict=True)
    ]
    if brief:
        unit = f"{GAP}%" if in_percent else ""
        numerals = [s.text + (unit if s.values else "") for s in scores]
        wide = max(map(len, numerals))
        remarks = [level.remarks for level in question.levels]
        rows = zip(lines, numerals, remarks, strict=True)
        return [f"{title}:", *(f"{line} {n:<{wide}}  {r}".rstrip() for line, n, r in rows)]
    if in_percent:
        decimals = numbers.decimals_for((high - low) * 100 / 2)
        ends = [f"{words.number(100 * end, decimals)}{GAP}%" for end in (low, high)]
    else:
        ends = numbers.plain_ends(words, low, high)
    axis = ends[0] + ends[1].rjust(width - len(ends[0]))
    legend = f"{_SEED} {words('figure.each_seed')}, ├{_MEAN}┤ {words('figure.mean_interval')}"
    return [f"{title}: {legend}", *lines, f"{'':<{margin}}  {axis}"]


def plotted(question: Question, words: Words) -> tuple[str, list[measured.Summary]]:
    """What is drawn of a question's levels: its main metric, or accuracy.

    That is accuracy on the set that its claims are about.
    """
    if question.metrics:
        name = question.metrics[0].name
        return name, [level.metrics[name] for level in question.levels]
    on = _main_set(question)
    title = capital(words("metric.accuracy", on=words(f"on.{on}")))
    return title, [level.accuracy[on] for level in question.levels]


def plot_range(summaries: Sequence[Summary]) -> tuple[float, float]:
    """From the lowest to the highest that is to be shown, never of no width."""
    shown = [x for s in summaries for x in (*s.values, s.low, s.high) if math.isfinite(x)]
    low, high = min(shown, default=0.0), max(shown, default=1.0)
    return (low, high) if high > low else (low - 0.005, high + 0.005)


def fixed_line(question: Question, words: Words) -> str:
    """What was held fixed, in one line."""
    return f"{words('claim.fixed')}: {question.fixed_text}"


def _brief(question: Question, words: Words, wide: int) -> str:
    """A question of several: a line for each level, and one for each verdict, `wide` at most.

    What it found is told in a sentence where no claim says it.
    """
    lines = [
        *filter(None, [question.untrained_text if question.claims else question.lead]),
        *_added_lines(words, question),
        *dot_plot(question, words, brief=True),
        *failure_lines(question),
        *(
            f"{_verdict(claim, words):<{wide}}  {_claim_line(claim)}".rstrip()
            for claim in question.claims
        ),
        *(f"{_verdict(found, words):<{wide}}  {found.finding}" for found in question.interactions),
    ]
    return "\n".join([_title(question), *(f"    {line}" for line in lines)])


def _in_full(question: Question, words: Words) -> str:
    return f"{_title(question)}\n\n{answer_text(question, words)}"


def _title(question: Question) -> str:
    return f"({question.id}) {question.ask}"


def _verdict(found: Claim | Interaction, words: Words) -> str:
    """The verdict in a word or two: why a claim is not tested stands beside it."""
    return words(f"verdict.{found.code}") if isinstance(found, Claim) else found.verdict_text


def _claim_line(claim: Claim) -> str:
    """A claim, and what its verdict rests on: in short, or the reason for none."""
    rests = claim.estimate_in_short or capital(claim.evidence)
    whose = f" ({claim.whose})" if claim.whose else ""
    return f"{claim.say}{whose}  {rests}"


def _surprises(report: Report, words: Words) -> list[str]:
    """The claims that are farthest from what was seen, with what was."""
    lines = [
        f"({surprise.question}) {report.claim_of(surprise).say}  {surprise.far_text}"
        for surprise in report.surprises
    ]
    return ["\n".join([f"{words('head.surprises')}:", *lines])] if lines else []


def _main_set(question: Question) -> str:
    """The set that most of a question's claims are about, of those that accuracy is known on."""
    known = sets_of(question.levels)
    on = Counter(claim.on for claim in question.claims if claim.on in known)
    (most, _), *_ = on.most_common(1) or [("test", 0)]
    return most


def _runs(words: Words, level: Level) -> str:
    down = level.diverged
    return words("table.diverged", down=down, n=level.n) if down else str(level.n)


def _added_lines(words: Words, question: Question) -> list[str]:
    """What each ingredient of a recipe adds, as a table, where that is asked."""
    table = added_table(words, question)
    if table is None:
        return []
    return [f"{words('head.added')}:", *text_table(*table.texts), question.added_text]


def _strip(summary: Summary, low: float, high: float, width: int) -> str:
    def column(value: float) -> int:
        return round((min(max(value, low), high) - low) / (high - low) * (width - 1))

    strip = [" "] * width
    if math.isfinite(summary.low):
        first, last = column(summary.low), column(summary.high)
        strip[first : last + 1] = "─" * (last + 1 - first)
        strip[first], strip[last] = "├", "┤"
    for value in summary.values:
        strip[column(value)] = _SEED
    if summary.values:
        strip[column(summary.mean)] = _MEAN
    return "".join(strip)
