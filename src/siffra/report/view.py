"""What a report shows, in order, as texts and figures: the templates only lay it out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siffra.examination import Examined
from siffra.lab.plan import Plan
from siffra.lab.verdicts import Answers, ClaimAnswer, ExperimentAnswer, LevelAnswer, QuestionAnswer
from siffra.report import numbers
from siffra.report.captions import caption
from siffra.report.facts import all_records, command, machines, proviso
from siffra.report.figures import Drawing, draw_experiments, draw_question, safe_name
from siffra.report.labels import (
    LONG_NAME,
    SETS,
    are_numbered,
    knob_axis_name,
    knobs_name,
    short_level_name,
)
from siffra.report.sentences import (
    VERDICTS,
    answer_sentence,
    capital,
    collapsed,
    comparison,
    evidence,
    most_surprising,
    summary_sentence,
    verdict_name,
)
from siffra.report.words import Words
from siffra.run import CURVE_IMAGES, Record


@dataclass(frozen=True, slots=True)
class FigureView:
    """A figure with its caption."""

    drawing: Drawing
    caption: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of a table: its text, what kind it is (`name`, `number`, `reported`), and a remark."""

    text: str
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: the header's cells, and rows of as many."""

    head: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class ClaimView:
    """A claim with its verdict (`code` is the plain one, for style) and what it rests on."""

    say: str
    code: str
    verdict: str
    compared: str
    evidence: str
    margin: str
    reported: str


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question from its answer on down. `tally` counts its verdicts, by code and name."""

    anchor: str
    label: str
    ask: str
    answer: str
    figures: tuple[FigureView, ...]
    table: Table
    claims: tuple[ClaimView, ...]
    tally: tuple[tuple[str, str, int], ...]
    fixed: str
    note: str


@dataclass(frozen=True, slots=True)
class ExperimentView:
    """What one experiment was."""

    name: str
    knobs: str
    note: str


@dataclass(frozen=True, slots=True)
class ReportView:
    """A whole report."""

    title: str
    length: str
    preset: str
    summary: str
    incomplete: str
    tally: tuple[tuple[str, str, int], ...]
    surprise: ClaimView | None
    surprise_anchor: str
    questions: tuple[QuestionView, ...]
    experiments: tuple[ExperimentView, ...]
    experiments_table: Table | None
    experiments_figure: FigureView | None
    methods: tuple[str, ...]
    verdict_meanings: tuple[tuple[str, str, str], ...]
    command: str
    proviso: str
    facts: tuple[tuple[str, str], ...]

    @property
    def drawings(self) -> list[Drawing]:
        """Every figure of the report."""
        views = [figure for question in self.questions for figure in question.figures]
        views += [self.experiments_figure] if self.experiments_figure else []
        return [view.drawing for view in views]


def view(answers: Answers, words: Words, examined: Examined | None = None) -> ReportView:
    """Everything that a report says about `answers`; draws the figures."""
    plan = answers.plan
    claims = [claim for question in answers.questions for claim in question.claims]
    surprise = most_surprising(answers)
    drawing = draw_experiments(answers, words)
    records = all_records(answers)
    return ReportView(
        title=words.say(plan.title),
        length=_length(words, plan, records),
        preset=words("head.preset", preset=plan.preset, seeds=len(plan.seeds)),
        summary=summary_sentence(answers, words.language),
        incomplete=_incomplete(words, answers),
        tally=_tally(words, claims),
        surprise=_claim(words, surprise[1], surprise[0]) if surprise else None,
        surprise_anchor=_anchor(surprise[0]) if surprise else "",
        questions=tuple(_question(words, question, examined) for question in answers.questions),
        experiments=tuple(_experiment(words, e) for e in answers.experiments),
        experiments_table=_experiments_table(words, answers.experiments),
        experiments_figure=FigureView(drawing, words("caption.experiments")) if drawing else None,
        methods=_methods(words, plan, records),
        verdict_meanings=tuple(
            (_code(v), words(f"verdict.{_code(v)}"), words(f"verdict_means.{_code(v)}"))
            for v in VERDICTS
        ),
        command=command(plan),
        proviso=words(f"proviso.{needed}") if (needed := proviso(plan)) else "",
        facts=_facts(words, plan, records),
    )


def _code(verdict: str) -> str:
    return verdict.replace(" ", "_")


def _anchor(answer: QuestionAnswer) -> str:
    return safe_name(f"question-{answer.question.id}")


def _length(words: Words, plan: Plan, records: Sequence[Record]) -> str:
    """`after 3 epochs`, where the plan cut runs to that."""
    if plan.epochs is None or not records:
        return ""
    longest = max(len(record.epochs) for record in records)
    return words.count("head.after", min(plan.epochs, longest))


def _incomplete(words: Words, answers: Answers) -> str:
    """How many runs of those that the answers should rest on are not there."""
    levels = [level for question in answers.questions for level in question.levels]
    missing = sum(
        len(answers.plan.seeds) - len(seen.records) for seen in (*levels, *answers.experiments)
    )
    return words.count("head.incomplete", missing) if missing > 0 else ""


def _tally(words: Words, claims: Sequence[ClaimAnswer]) -> tuple[tuple[str, str, int], ...]:
    counts = Counter(claim.verdict for claim in claims)
    return tuple((_code(v), words(f"verdict.{_code(v)}"), counts[v]) for v in VERDICTS if counts[v])


def _question(words: Words, answer: QuestionAnswer, examined: Examined | None) -> QuestionView:
    question = answer.question
    drawn = [
        (drawing, caption(kind, answer, words, examined))
        for kind in question.figures
        if (drawing := draw_question(kind, answer, words, examined))
    ]
    best = answer.levels[answer.best] if len(answer.levels) > 1 else None
    numbered = are_numbered(words, question)
    rows = [
        (
            f"{i}. " * numbered + capital(short_level_name(words, level.level)),
            level,
            level.level.reported,
            _remarks(words, level, best),
        )
        for i, level in enumerate(answer.levels, start=1)
    ]
    return QuestionView(
        anchor=_anchor(answer),
        label=question.id,
        ask=words.say(question.ask),
        answer=answer_sentence(answer, words.language),
        figures=tuple(FigureView(d, c) for d, c in drawn),
        table=_table(words, capital(knob_axis_name(words, question)), rows),
        claims=tuple(_claim(words, claim, answer) for claim in answer.claims),
        tally=_tally(words, answer.claims),
        fixed=_fixed(words, answer),
        note=words.say(question.note),
    )


def _fixed(words: Words, answer: QuestionAnswer) -> str:
    fixed = knobs_name(words, answer.question.fixed) or words("claim.nothing")
    if not answer.question.retune:
        return fixed
    retuned = words.listing(words(f"knob.{knob}") for knob in answer.question.retune)
    return f"{fixed}; {words('claim.retuned', knobs=retuned)}"


def _claim(words: Words, answer: ClaimAnswer, question: QuestionAnswer) -> ClaimView:
    claim = answer.claim
    tested = answer.estimate is not None
    return ClaimView(
        say=words.say(claim.say),
        code=_code(answer.verdict),
        verdict=verdict_name(words, answer),
        compared=capital(comparison(words, claim, question.question)),
        evidence=evidence(words, answer),
        margin=words("claim.margin", margin=numbers.margin_words(words, claim)) if tested else "",
        reported=words.say(claim.reported),
    )


def _remarks(words: Words, level: LevelAnswer, best: LevelAnswer | None) -> str:
    runs = len(level.records)
    told = [words("table.best")] if level is best and runs else []
    if down := sum(collapsed(record) for record in level.records):
        told.append(words("table.collapsed", down=down, n=runs))
    if level.diverged:
        told.append(words("table.diverged", down=level.diverged, n=runs))
    told += [f"{spelled} ({times} ×)" for spelled, times in level.retuned.items()]
    return "; ".join(told)


Row = tuple[str, LevelAnswer | ExperimentAnswer, Mapping[str, float], str]


def _table(words: Words, first: str, rows: Sequence[Row]) -> Table:
    """Ours and, beside it where there is one, the reported figure; per cent and seconds."""
    theirs = {key for _, _, reported, _ in rows for key in reported}
    sets = [name for name in ("train", "val", *SETS) if name in SETS or name in theirs]
    extra = sorted(theirs - {*sets, "seconds"})
    head = [Cell(first, "name")]
    for name in (*sets, "seconds"):
        text = words("table.seconds") if name == "seconds" else f"{words(f'set.{name}')} (%)"
        head.append(Cell(capital(text), "number"))
        head += [Cell(words("table.reported"), "reported")] if name in theirs else []
    head += [Cell(f"{name} ({words('table.reported')}, %)", "reported") for name in extra]
    head.append(Cell("n", "number"))
    # A long name would be squeezed into a tower of single words.
    kind = "name long" if max(len(title) for title, *_ in rows) > LONG_NAME else "name"
    columns = [[Cell(title, kind, remarks) for title, _, _, remarks in rows]]
    for name in (*sets, "seconds"):
        ours = [_measured(words, seen, name) for _, seen, _, _ in rows]
        columns.append([Cell(t, "number") for t in numbers.align(ours, words("decimal"))])
        if name in theirs:
            columns.append([Cell(_reported(words, r, name), "reported") for _, _, r, _ in rows])
    columns += [
        [Cell(_reported(words, r, name), "reported") for _, _, r, _ in rows] for name in extra
    ]
    columns.append([Cell(str(len(seen.records)), "number") for _, seen, _, _ in rows])
    return Table(tuple(head), tuple(zip(*columns, strict=True)))


def _measured(words: Words, seen: LevelAnswer | ExperimentAnswer, name: str) -> str:
    summary = seen.seconds if name == "seconds" else seen.accuracy[name]
    if not summary.values:
        return "–"
    if name == "seconds":
        return numbers.seconds_number(words, summary)
    return numbers.accuracy_number(words, summary)


def _reported(words: Words, reported: Mapping[str, float], name: str) -> str:
    if name not in reported:
        return ""
    return words.exact(round(reported[name] * (1 if name == "seconds" else 100), 4))


def _experiment(words: Words, answer: ExperimentAnswer) -> ExperimentView:
    experiment = answer.experiment
    return ExperimentView(
        name=words.say(experiment.name),
        knobs=capital(knobs_name(words, experiment.setting.knobs())),
        note=words.say(experiment.note),
    )


def _experiments_table(words: Words, answers: Sequence[ExperimentAnswer]) -> Table | None:
    rows = [
        (
            words.say(a.experiment.name),
            a,
            a.experiment.reported,
            words("table.diverged", down=a.diverged, n=len(a.records)) if a.diverged else "",
        )
        for a in answers
    ]
    return _table(words, words("table.experiment"), rows) if rows else None


def _methods(words: Words, plan: Plan, records: Sequence[Record]) -> tuple[str, ...]:
    split = "split" if len({record.fingerprint for record in records}) > 1 else "no_split"
    seeds = words.listing(str(seed) for seed in plan.seeds)
    return (
        words.count("methods.seeds", len(plan.seeds), seeds=seeds),
        words(f"methods.{split}"),
        *(words(f"methods.{key}") for key in ("pairs", "levels", "many", "margin")),
        words("methods.scored", images=words.exact(CURVE_IMAGES)),
        words("methods.times"),
        *(words(f"methods.{key}") for key in ("best", "sets", "caveat")),
    )


def _facts(words: Words, plan: Plan, records: Sequence[Record]) -> tuple[tuple[str, str], ...]:
    facts = [(words("facts.lab"), plan.source), (words("facts.digest"), plan.digest)]
    facts.append((words("facts.runs"), str(len(records))))
    facts += [(words("facts.data"), d) for d in sorted({r.dataset for r in records})]
    engines = sorted({f"{r.engine} {r.engine_version}" for r in records})
    facts += [(words("facts.engine"), engine) for engine in engines]
    for machine in machines(records):
        told = words("facts.cores", cpu=machine.cpu, cores=machine.cores, threads=machine.threads)
        facts.append((words("facts.machine"), f"{told}, {machine.system}"))
        versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
        facts.append((words("facts.versions"), versions))
    return tuple(facts)
