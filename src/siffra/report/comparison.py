"""Two reports side by side: which verdicts changed, and the estimates beside each other."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from siffra.config.metrics import Metric
from siffra.lab.plan import plan
from siffra.lab.plan.texts import safe_name
from siffra.report.differences import Both, differing, fixed_words, level_key, unlike_words
from siffra.report.intervals import Picture, picture
from siffra.report.model import Question, Report, measured, read_report
from siffra.report.model.claims import Claim
from siffra.report.model.measured import Level, Measured
from siffra.report.render.pages import html_page, markdown_page, write_folder
from siffra.report.text import numbers
from siffra.report.text.labels import SETS, short_level_name
from siffra.report.text.messages import GAP, Words, capital, words_in
from siffra.report.text.tables import Cell, Table

Sides = tuple[str, str]


@dataclass(frozen=True, slots=True)
class ClaimPair:
    """A claim as both reports have it, with texts in the comparison's language.

    `differs` says, where it is so, that it is not one claim. Only of one claim is it `changed` if
    the verdicts differ.
    """

    say: str
    first: Claim
    second: Claim
    changed: bool
    differs: str
    picture: Picture | None


@dataclass(frozen=True, slots=True)
class QuestionPair:
    """A question that both ask. `fixed` says, where it is so, what was not held fixed alike."""

    anchor: str
    label: str
    ask: str
    fixed: str
    claims: tuple[ClaimPair, ...]
    table: Table | None


@dataclass(frozen=True, slots=True)
class ComparisonView:
    """Two reports side by side."""

    title: str
    names: Sides
    summary: str
    changes: tuple[tuple[str, str, str, str, int], ...]
    facts: tuple[tuple[str, str, str], ...]
    questions: tuple[QuestionPair, ...]
    experiments: Table | None
    alone: tuple[str, ...]

    @property
    def changed(self) -> list[tuple[QuestionPair, ClaimPair]]:
        """The claims whose verdicts differ."""
        return [(q, claim) for q in self.questions for claim in q.claims if claim.changed]

    @property
    def differing(self) -> list[tuple[QuestionPair, ClaimPair]]:
        """The claims that are not the same in both."""
        return [(q, claim) for q in self.questions for claim in q.claims if claim.differs]


def write_comparison(first: Path, second: Path, out: Path, language: str = "en") -> ComparisonView:
    """Compare the reports in two folders; write `comparison.html` and `.md` to the folder `out`.

    Raises:
        SiffraError: One of them cannot be read, or `out` cannot be written.
    """
    words = words_in(language)
    shown = compare(read_report(first), read_report(second), _names(first, second), words)
    pages = {
        "comparison.html": html_page("comparison.html", words, it=shown),
        "comparison.md": markdown_page("comparison.md", words, it=shown),
    }
    write_folder({name: text.encode("utf-8") for name, text in pages.items()}, out)
    return shown


def comparison_text(shown: ComparisonView, words: Words) -> str:
    """The comparison in a few lines, for the terminal."""
    lines = [shown.summary]
    for question, claim in shown.changed:
        change = f"{claim.first.verdict_text} → {claim.second.verdict_text}"
        lines.append(f"    ({question.label}) {change:<32} {claim.say}")
    for question, claim in shown.differing:
        lines.append(f"    ({question.label}) {claim.say} {claim.differs}")
    return "\n".join([*lines, *shown.alone]).replace(GAP, " ")


def compare(first: Report, second: Report, names: Sides, words: Words) -> ComparisonView:
    """Set two reports side by side; questions and claims are matched by their ids."""
    others = {question.id: question for question in second.questions}
    both = [(q, others[q.id]) for q in first.questions if q.id in others]
    questions = tuple(_question(q, other, names, words) for q, other in both)
    claims = [claim for question in questions for claim in question.claims]
    title = first.title if first.title == second.title else f"{first.title} / {second.title}"
    return ComparisonView(
        title=title,
        names=names,
        summary=_summary(claims, words),
        changes=_changes([claim for claim in claims if claim.changed]),
        facts=_facts(first, second, words),
        questions=questions,
        experiments=_experiments(first, second, names, words),
        alone=_alone(first, second, names, words),
    )


def _names(first: Path, second: Path) -> Sides:
    """What the two are called: as short as tells them apart."""
    a, b = (path.parent if path.is_file() else path for path in (first, second))
    short = a.resolve().name, b.resolve().name
    return short if short[0] != short[1] else (str(first), str(second))


def _summary(claims: Sequence[ClaimPair], words: Words) -> str:
    if not claims:
        return words("compare.nothing")
    changed = sum(claim.changed for claim in claims)
    other = sum(bool(claim.differs) for claim in claims)
    sentences = [words.count("compare.both", len(claims))]
    if other < len(claims):
        sentences.append(
            words.count("compare.changed", changed) if changed else words("compare.same")
        )
    if other:
        sentences.append(words.count("compare.other", other))
    return " ".join(sentences)


def _changes(changed: Sequence[ClaimPair]) -> tuple[tuple[str, str, str, str, int], ...]:
    """How often each verdict became which other: code and name of both, and the number."""
    kinds = Counter(
        (c.first.code, c.first.verdict_text, c.second.code, c.second.verdict_text) for c in changed
    )
    return tuple((*kind, n) for kind, n in kinds.most_common())


def _facts(first: Report, second: Report, words: Words) -> tuple[tuple[str, str, str], ...]:
    def facts(results: Report) -> dict[str, str]:
        machine, versions = results.machine, results.versions
        epochs = "–" if results.epochs is None else words.exact(results.epochs)
        return {
            words("compare.preset"): results.preset,
            words("compare.epochs"): epochs,
            words("compare.shortened"): results.shortened.text if results.shortened else "–",
            words("compare.seeds"): str(len(results.seeds)),
            words("facts.runs"): str(results.runs),
            words("facts.machine"): f"{machine.cpu}, {machine.threads}" if machine else "–",
            words("facts.versions"): ", ".join(f"{k} {v}" for k, v in versions.items()),
            words("compare.command"): results.command,
        }

    ours, theirs = facts(first), facts(second)
    return tuple((name, ours[name], theirs[name]) for name in ours)


def _alone(first: Report, second: Report, names: Sides, words: Words) -> tuple[str, ...]:
    """What only one of the two has."""
    sentences = []
    for (mine, name), other in zip(
        ((first, names[0]), (second, names[1])), (second, first), strict=True
    ):
        asked = {q.id: {c.id for c in q.claims} for q in other.questions}
        questions = [q.id for q in mine.questions if q.id not in asked]
        claims = [
            c.id for q in mine.questions for c in q.claims if c.id not in asked.get(q.id, {c.id})
        ]
        known = {e.id for e in other.experiments}
        experiments = [e.id for e in mine.experiments if e.id not in known]
        for kind, ids in (
            ("questions", questions),
            ("claims", claims),
            ("experiments", experiments),
        ):
            if ids:
                sentences.append(words(f"compare.only_{kind}", name=name, ids=words.listing(ids)))
    return tuple(sentences)


def _question(first: Question, second: Question, names: Sides, words: Words) -> QuestionPair:
    both = first, second
    theirs = {claim.id: claim for claim in second.claims}
    held = fixed_words(both, words)
    return QuestionPair(
        anchor=safe_name(f"question-{first.id}"),
        label=first.id,
        ask=first.ask,
        fixed=words("compare.held", knobs=held) if held else "",
        claims=tuple(_claim(c, theirs[c.id], both, words) for c in first.claims if c.id in theirs),
        table=_levels(first, second, names, words),
    )


def _claim(first: Claim, second: Claim, both: Both, words: Words) -> ClaimPair:
    parts = differing(first, second, both, words)
    return ClaimPair(
        say=first.say,
        first=_in_words(first, words),
        second=_in_words(second, words),
        changed=first.code != second.code and not parts,
        differs=words("compare.differs", parts=words.listing(parts)) if parts else "",
        picture=None if parts else picture(first, second),
    )


def _in_words(claim: Claim, words: Words) -> Claim:
    """The claim with its verdict and estimate in the language of `words`."""
    estimate, evidence = claim.as_estimated(), ""
    if estimate is not None:
        value, interval = numbers.estimate_words(words, claim.as_planned(), estimate)
        level = numbers.confidence(words, estimate.confidence)
        key = "evidence" if interval else "evidence_alone"
        evidence = words(key, value=value, level=level, interval=interval, n=claim.n)
    texts = {"verdict_text": words(f"verdict.{claim.code}"), "evidence": evidence}
    return claim.model_copy(update=texts)


def _levels(first: Question, second: Question, names: Sides, words: Words) -> Table | None:
    """The levels that both have."""
    theirs = {level_key(level): level for level in second.levels}
    both = [(level, theirs[key]) for level in first.levels if (key := level_key(level)) in theirs]
    rows = [(Cell(_name(ours, words), "name"), ours, other) for ours, other in both]
    return _side_by_side("", rows, names, words, _by_name((*first.metrics, *second.metrics)))


def _experiments(first: Report, second: Report, names: Sides, words: Words) -> Table | None:
    """The experiments that both have, with a remark where their knobs are not the same."""
    theirs = {experiment.id: experiment for experiment in second.experiments}
    both = [(ours, theirs[ours.id]) for ours in first.experiments if ours.id in theirs]
    rows = [
        (Cell(ours.name, "name long", unlike_words(ours.knobs, other.knobs, words)), ours, other)
        for ours, other in both
    ]
    metrics = [metric for e in (*first.experiments, *second.experiments) for metric in e.named]
    return _side_by_side(words("table.experiment"), rows, names, words, _by_name(metrics))


def _by_name(metrics: Sequence[measured.Metric]) -> dict[str, Metric]:
    """These metrics by name; of those that are called alike, the first one."""
    return {metric.name: Metric(**metric.model_dump()) for metric in reversed(metrics)}


def _side_by_side(
    first: str,
    rows: Sequence[tuple[Cell, Measured, Measured]],
    names: Sides,
    words: Words,
    metrics: Mapping[str, Metric],
) -> Table | None:
    """Accuracies, metrics and times of one beside those of the other; None without rows."""
    if not rows:
        return None
    columns = [[name for name, *_ in rows]]
    head = [Cell(first, "name")]
    known = {name for _, *pair in rows for seen in pair for name in seen.accuracy}
    measured = dict.fromkeys(name for _, *pair in rows for seen in pair for name in seen.metrics)
    shown: list[tuple[str, Callable[[Measured], str]]] = [
        (name, lambda seen, name=name: _metric(seen, metrics.get(name, Metric(name)), words))
        for name in measured
    ]
    for name in (*(each for each in SETS if each in known), "seconds"):
        called = words("table.run_seconds") if name == "seconds" else f"{words(f'set.{name}')} (%)"
        shown.append((capital(called), lambda seen, name=name: _measured(seen, name, words)))
    for called, text in shown:
        for side in (0, 1):
            head.append(Cell(f"{called}, {names[side]}", "number"))
            texts = [text(pair[side]) for _, *pair in rows]
            padded = numbers.align(texts, words("decimal"))
            columns.append([Cell(text, "number") for text in padded])
    return Table(tuple(head), tuple(zip(*columns, strict=True)))


def _name(level: Level, words: Words) -> str:
    called = {words.language: level.label} if level.label else {}
    return capital(short_level_name(words, plan.Level(level.knobs, (), {}, name=called)))


def _metric(seen: Measured, metric: Metric, words: Words) -> str:
    summary = seen.metrics.get(metric.name)
    if summary is None or not summary.values:
        return "–"
    return numbers.metric_number(words, summary.as_estimated(), metric)


def _measured(seen: Measured, name: str, words: Words) -> str:
    summary = seen.seconds if name == "seconds" else seen.accuracy.get(name)
    if summary is None or not summary.values:
        return "–"
    if name == "seconds":
        return numbers.seconds_number(words, summary.as_estimated())
    return numbers.accuracy_number(words, summary.as_estimated())
