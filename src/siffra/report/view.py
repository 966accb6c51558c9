"""What a report shows, in order, as texts and figures: the templates only lay it out."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from siffra.lab.answers import Answers, ClaimAnswer, ExperimentAnswer, QuestionAnswer
from siffra.lab.plan.plan import EXAMINED, Plan
from siffra.lab.plan.texts import safe_name
from siffra.lab.stats.diagnostics import by_seed
from siffra.report.figures import (
    OF_EXPERIMENTS,
    Drawing,
    draw_experiments,
    draw_of_experiments,
    draw_question,
)
from siffra.report.figures.captions import caption
from siffra.report.figures.captions_experiments import caption_of_all, caption_of_experiments
from siffra.report.text import numbers
from siffra.report.text.ablation import added_note
from siffra.report.text.held_fixed import held_fixed
from siffra.report.text.interactions import InteractionView, interactions
from siffra.report.text.labels import knobs_name
from siffra.report.text.messages import Words
from siffra.report.text.methods import Method, facts, methods
from siffra.report.text.narrative import (
    VERDICTS,
    answer_sentences,
    busy_sentence,
    capital,
    claims_by,
    comparison,
    evidence,
    summary_sentence,
    verdict_code,
    verdict_name,
)
from siffra.report.text.provenance import all_records, command, proviso
from siffra.report.text.shortened import shortened
from siffra.report.text.surprises import Surprise, surprises
from siffra.report.text.tables import (
    Table,
    added_table,
    experiments_table,
    levels_table,
    looks_table,
)
from siffra.training.diagnostics import Examined
from siffra.training.run import Record

Tally = tuple[tuple[str, str, int], ...]
"""How many claims have which verdict: its code, its name, and the number."""


@dataclass(frozen=True, slots=True)
class FigureView:
    """A figure with its caption."""

    drawing: Drawing
    caption: str


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
class SurpriseView:
    """A surprising verdict, with the anchor of its question and how far off the claim is."""

    claim: ClaimView
    anchor: str
    far: str


@dataclass(frozen=True, slots=True)
class QuestionView:
    """A question from its answer on down. `lead` is the answer's first sentence.

    `added` has what each ingredient of a recipe adds, if that is what is asked. `claimed` heads its
    claims. `unexamined` says, where it is so, that networks are missing from figures.
    """

    anchor: str
    label: str
    ask: str
    lead: str
    answer: str
    added: Table | None
    added_note: str
    figures: tuple[FigureView, ...]
    unexamined: str
    table: Table
    claimed: str
    claims: tuple[ClaimView, ...]
    interactions: tuple[InteractionView, ...]
    tally: Tally
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
    shortened: str
    is_cut: bool
    summary: str
    rests: str
    incomplete: str
    busy: str
    tallies: tuple[tuple[str, Tally], ...]
    surprises: tuple[SurpriseView, ...]
    questions: tuple[QuestionView, ...]
    experiments: tuple[ExperimentView, ...]
    experiments_table: Table | None
    experiments_figures: tuple[FigureView, ...]
    methods: tuple[Method, ...]
    looks: Table | None
    verdict_meanings: tuple[tuple[str, str, str], ...]
    command: str
    proviso: str
    facts: tuple[tuple[str, str], ...]

    @property
    def drawings(self) -> list[Drawing]:
        """Every figure of the report."""
        views = [figure for question in self.questions for figure in question.figures]
        return [view.drawing for view in (*views, *self.experiments_figures)]


def view(answers: Answers, words: Words, examined: Examined | None = None) -> ReportView:
    """Everything that a report says about `answers`; draws the figures."""
    plan = answers.plan
    records = all_records(answers)
    return ReportView(
        title=words.say(plan.title),
        length=_length(words, plan, records),
        preset=_preset(words, answers),
        shortened=shortened(words, plan),
        is_cut=bool(plan.cut_from),
        summary=summary_sentence(answers, words.language),
        rests=words.count("summary.rests", len(records)) if records else "",
        incomplete=words.count("head.incomplete", answers.missing) if answers.missing else "",
        busy=busy_sentence(words, records),
        tallies=_tallies(words, answers),
        surprises=tuple(_surprise(words, found) for found in surprises(answers)),
        questions=tuple(_question(words, question, examined) for question in answers.questions),
        experiments=tuple(_experiment(words, e) for e in answers.experiments),
        experiments_table=experiments_table(words, answers.experiments),
        experiments_figures=_experiments_figures(words, answers, examined),
        methods=methods(words, answers, records, examined),
        looks=looks_table(words, answers.looks),
        verdict_meanings=tuple(
            (code, words(f"verdict.{code}"), words(f"verdict_means.{code}"))
            for code in map(verdict_code, VERDICTS)
        ),
        command=command(plan, records),
        proviso=words(f"proviso.{needed}") if (needed := proviso(plan)) else "",
        facts=facts(words, answers, records, examined),
    )


def _anchor(answer: QuestionAnswer) -> str:
    return safe_name(f"question-{answer.question.id}")


def _length(words: Words, plan: Plan, records: Sequence[Record]) -> str:
    """`after 3 epochs`, where the plan cut runs to that."""
    if plan.epochs is None or not records:
        return ""
    longest = max(len(record.epochs) for record in records)
    return words.count("head.after", min(plan.epochs, longest))


def _preset(words: Words, answers: Answers) -> str:
    plan = answers.plan
    seeds, of = len(plan.seeds), "vary" if plan.ad_hoc else "preset"
    if answers.looks:
        most = answers.looks[-1].seeds
        return words(f"head.{of}_looks", preset=plan.preset, seeds=seeds, most=most)
    return words(f"head.{of}", preset=plan.preset, seeds=words.count("head.seeds", seeds))


def _tallies(words: Words, answers: Answers) -> tuple[tuple[str, Tally], ...]:
    """The verdicts on the claims of each whose they are; with a name, if not all are one's."""
    groups = claims_by(answers, words)
    author = capital(words("summary.author")) if len(groups) > 1 else ""
    return tuple((by or author, _tally(words, claims)) for by, claims in groups.items())


def _tally(words: Words, claims: Sequence[ClaimAnswer]) -> Tally:
    counts = Counter(claim.verdict for claim in claims)
    found = {verdict_code(verdict): counts[verdict] for verdict in VERDICTS if counts[verdict]}
    return tuple((code, words(f"verdict.{code}"), n) for code, n in found.items())


def _surprise(words: Words, found: Surprise) -> SurpriseView:
    return SurpriseView(
        claim=_claim(words, found.claim, found.question),
        anchor=_anchor(found.question),
        far=words(
            "summary.far",
            margins=words.number(found.margins, 0 if found.margins >= 10 else 1),
            margin=numbers.margin_words(words, found.claim.claim),
        ),
    )


def _question(words: Words, answer: QuestionAnswer, examined: Examined | None) -> QuestionView:
    question = answer.question
    by = words.say(question.by)
    sentences = answer_sentences(answer, words.language)
    drawn = [
        (drawing, caption(kind, answer, words, examined))
        for kind in question.figures
        if (drawing := draw_question(kind, answer, words, examined))
    ]
    return QuestionView(
        anchor=_anchor(answer),
        label=question.id,
        ask=words.say(question.ask),
        lead=sentences[0],
        answer=" ".join(sentences),
        added=added_table(words, answer),
        added_note=added_note(words, answer),
        figures=tuple(FigureView(d, c) for d, c in drawn),
        unexamined=_unexamined(words, answer, examined),
        table=levels_table(words, answer),
        claimed=words("head.claims_by", by=by) if by else words("head.claims"),
        claims=tuple(_claim(words, claim, answer) for claim in answer.claims),
        interactions=interactions(words, answer),
        tally=_tally(words, answer.claims),
        fixed=held_fixed(words, question),
        note=words.say(question.note),
    )


def _unexamined(words: Words, answer: QuestionAnswer, examined: Examined | None) -> str:
    if not EXAMINED & set(answer.question.figures):
        return ""
    runs = sum(len(level.trained) for level in answer.levels)
    missing = runs - sum(len(by_seed(level.records, examined)) for level in answer.levels)
    return words.count("head.unexamined", missing, of=runs) if missing else ""


def _claim(words: Words, answer: ClaimAnswer, question: QuestionAnswer) -> ClaimView:
    claim = answer.claim
    tested = answer.estimate is not None
    return ClaimView(
        say=words.say(claim.say),
        code=verdict_code(answer.verdict),
        verdict=verdict_name(words, answer),
        compared=capital(comparison(words, claim, question.question)),
        evidence=evidence(words, answer),
        margin=words("claim.margin", margin=numbers.margin_words(words, claim)) if tested else "",
        reported=words.say(claim.reported),
    )


def _experiment(words: Words, answer: ExperimentAnswer) -> ExperimentView:
    experiment = answer.experiment
    return ExperimentView(
        name=words.say(experiment.name),
        knobs=capital(knobs_name(words, experiment.setting.knobs())),
        note=words.say(experiment.note),
    )


def _experiments_figures(
    words: Words, answers: Answers, examined: Examined | None
) -> tuple[FigureView, ...]:
    figures = []
    if drawing := draw_experiments(answers, words):
        figures.append(FigureView(drawing, caption_of_all(answers, words)))
    for kind in OF_EXPERIMENTS:
        if drawing := draw_of_experiments(kind, answers, words, examined):
            told = caption_of_experiments(kind, answers, words, examined)
            figures.append(FigureView(drawing, told))
    return tuple(figures)
