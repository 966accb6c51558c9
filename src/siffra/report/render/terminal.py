"""Answers in plain text, for terminals: sentences, tables, plots and verdicts."""

import math
from collections.abc import Iterable, Sequence

from siffra.config import EstimatorModel, Setting
from siffra.data.dataset import Dataset
from siffra.lab.answers import Answers, ClaimAnswer, LevelAnswer, QuestionAnswer
from siffra.lab.stats.estimates import Summary
from siffra.report.text import numbers
from siffra.report.text.ablation import added_note
from siffra.report.text.held_fixed import held_fixed
from siffra.report.text.interactions import interaction_sentence, interactions
from siffra.report.text.labels import sets_of, short_level_name, varied_name
from siffra.report.text.messages import GAP, Words, words_in
from siffra.report.text.narrative import (
    answer_sentence,
    busy_sentence,
    capital,
    evidence,
    summary_sentence,
    verdict_name,
    verdict_sentence,
)
from siffra.report.text.provenance import all_records
from siffra.report.text.shortened import shortened
from siffra.report.text.tables import added_table

PLOT_WIDTH = 48
"""Characters between the ends of a plot's axis."""
_SEED, _MEAN = "∘", "●"


def one_step_note(words: Words, settings: Iterable[Setting], dataset: Dataset) -> str:
    """That batches of some settings are larger than the training set; empty if none are."""
    images = len(dataset.train)
    networks = (s for s in settings if not isinstance(s.model, EstimatorModel))
    sizes = {network.training.batch_size for network in networks}
    larger = sorted(size for size in sizes if size > images)
    if not larger:
        return ""
    told = words.listing(words.exact(size) for size in larger)
    noun = words("cost.rows" if dataset.features else "cost.images")
    return words("cost.one_step", sizes=told, images=words.exact(images), noun=noun)


def lab_text(answers: Answers, language: str = "en") -> str:
    """What a lab found: a lone question in full, of several a sentence and their verdicts."""
    words = words_in(language)
    less = shortened(words, answers.plan)
    if len(answers.questions) == 1 and not answers.experiments:
        found = answer_text(answers.questions[0], language)
        return f"{less}\n\n{found}".replace(GAP, " ") if less else found
    blocks = [f"{words.say(answers.plan.title)}\n{summary_sentence(answers, language)}"]
    blocks += [told for told in (less, busy_sentence(words, all_records(answers))) if told]
    for question in answers.questions:
        lines = [
            f"({question.question.id}) {words.say(question.question.ask)}",
            f"    {answer_sentence(question, language)}",
            *(f"    {line}" for line in _added_lines(words, question)),
            *(line for claim in question.claims for line in _claim_lines(words, claim)),
            *(f"    {found.verdict:<25} {found.say}" for found in interactions(words, question)),
            f"    {fixed_words(words, question)}",
        ]
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks).replace(GAP, " ")


def answer_text(answer: QuestionAnswer, language: str = "en") -> str:
    """All that a question's runs say, in lines of text."""
    words = words_in(language)
    claims = [verdict_sentence(claim, answer.question, language) for claim in answer.claims]
    blocks = [
        answer_sentence(answer, language),
        "\n".join(_added_lines(words, answer)),
        "\n".join([*text_table(*levels_table(answer, language)), *_busy_note(words, answer)]),
        "\n".join(dot_plot(answer, "test", language)),
        "\n".join(claims),
        "\n".join(interaction_sentence(found) for found in interactions(words, answer)),
    ]
    fixed = fixed_words(words, answer)
    text = "\n\n".join(block for block in (*blocks, fixed) if block)
    return text.replace(GAP, " ")  # which nobody could search for


def levels_table(answer: QuestionAnswer, language: str = "en") -> tuple[list[str], list[list[str]]]:
    """Headings, and a row for each level: accuracies in %, training seconds, number of runs.

    Seconds of which some were taken on a busy machine are marked with an asterisk.
    """
    words = words_in(language)
    sets = sets_of(answer.levels)
    headings = [
        capital(varied_name(words, answer.question)),
        *(f"{words(f'set.{name}')} %" for name in sets),
        words("table.seconds"),
        "n",
    ]
    rows = [
        [
            short_level_name(words, level.level),
            *(_accuracy(words, level.accuracy[name]) for name in sets),
            numbers.seconds_number(words, level.seconds) + "*" * bool(level.busy),
            _runs(words, level),
        ]
        for level in answer.levels
    ]
    return headings, rows


def _accuracy(words: Words, summary: Summary) -> str:
    return numbers.accuracy_number(words, summary) if summary.values else "–"


def _runs(words: Words, level: LevelAnswer) -> str:
    n = len(level.records)
    return words("table.diverged", down=level.diverged, n=n) if level.diverged else str(n)


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


def dot_plot(answer: QuestionAnswer, on: str, language: str = "en") -> list[str]:
    """A line for each level: every seed's accuracy on the set `on`, their mean, its interval."""
    words = words_in(language)
    summaries = [level.accuracy[on] for level in answer.levels]
    low, high = _range(summaries)
    names = [short_level_name(words, level.level) for level in answer.levels]
    margin = max(map(len, names))
    decimals = numbers.decimals_for((high - low) * 100 / 2)
    ends = [f"{words.number(100 * end, decimals)}{GAP}%" for end in (low, high)]
    lines = [
        f"{name:<{margin}} │{_strip(summary, low, high)}│"
        for name, summary in zip(names, summaries, strict=True)
    ]
    axis = ends[0] + ends[1].rjust(PLOT_WIDTH - len(ends[0]))
    legend = f"{_SEED} {words('figure.each_seed')}, ├{_MEAN}┤ {words('figure.mean_interval')}"
    title = f"{capital(words('metric.accuracy', on=words(f'on.{on}')))}: {legend}"
    return [title, *lines, f"{'':<{margin}}  {axis}"]


def fixed_words(words: Words, answer: QuestionAnswer) -> str:
    """What was held fixed, in one line."""
    return f"{words('claim.fixed')}: {held_fixed(words, answer.question)}"


def _busy_note(words: Words, answer: QuestionAnswer) -> list[str]:
    """What the asterisk in the table of levels means, if there is one."""
    return [f"* {words('busy.note')}"] if any(level.busy for level in answer.levels) else []


def _added_lines(words: Words, answer: QuestionAnswer) -> list[str]:
    """What each ingredient of a recipe adds, as a table, where that is asked."""
    table = added_table(words, answer)
    if table is None:
        return []
    return [f"{words('head.added')}:", *text_table(*table.texts), added_note(words, answer)]


def _claim_lines(words: Words, claim: ClaimAnswer) -> list[str]:
    """A claim behind its verdict, and below it what that rests on."""
    told = evidence(words, claim)
    lines = [f"    {verdict_name(words, claim):<25} {words.say(claim.claim.say)}"]
    return [*lines, f"{'':30}{capital(told)}."] if told else lines


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
