"""From answers to a report: every number and every text, in one language."""

import itertools
from collections.abc import Sequence
from dataclasses import replace

from siffra.config import ExternalModel
from siffra.lab.answers import (
    Answers,
    QuestionAnswer,
)
from siffra.lab.plan import plan
from siffra.report.build_question import build_experiment, build_question
from siffra.report.model import (
    SCHEMA_VERSION,
    DataNote,
    Figure,
    Look,
    Machine,
    Report,
    Shortened,
)
from siffra.report.model.claims import Surprise, VerdictsBy, count_grades
from siffra.report.text.course import course_text, undecided
from siffra.report.text.data_sets import data_text
from siffra.report.text.labels import compared_name, level_name
from siffra.report.text.limits import limits
from siffra.report.text.messages import Words, capital
from siffra.report.text.methods import facts, methods
from siffra.report.text.narrative import busy_sentence
from siffra.report.text.provenance import all_records, command, machines, proviso, shortened
from siffra.report.text.surprises import missed, most_wrong, surprises
from siffra.report.text.verdicts import authors_sentence, claims_by, summary_sentence
from siffra.training.examination import Examined
from siffra.training.run import Record

Captions = Sequence[Sequence[Figure]]
"""The figures of each question in the plan's order, and last those of the experiments."""


def build(
    answers: Answers, words: Words, examined: Examined | None = None, captions: Captions = ()
) -> Report:
    """The report on `answers`.

    Args:
        answers: What was found.
        words: The language of its texts.
        examined: What is known of the networks themselves.
        captions: Its figures; none by default, as captions take Matplotlib to make.
    """
    words = words.about(pairs=answers.plan.paired, is_claimed=not answers.plan.ad_hoc)
    answers = in_words(answers, words)
    lab, records = answers.plan, all_records(answers)
    known = [] if lab.given else machines(records)
    made_on = [Machine(**machine.model_dump()) for machine in known]
    figures = _numbered(captions or [()] * (len(answers.questions) + 1))
    questions = tuple(
        build_question(question, words, examined, its_own, lab.seeds)
        for question, its_own in zip(answers.questions, figures[:-1], strict=True)
    )
    busy = sum(record.is_busy for record in records)
    any_timed = any(claim.is_timed for question in lab.questions for claim in question.claims)
    surprising = [] if lab.ad_hoc else surprises(answers)  # claims that nobody made surprise nobody
    return Report(
        schema_version=SCHEMA_VERSION,
        title=words.say(lab.title),
        author=words.say(lab.author),
        course=words.say(lab.course),
        date=lab.date,
        length_text=_length(words, lab, records),
        source=lab.source,
        digest=lab.digest,
        command=command(lab, records),
        proviso=words(f"proviso.{needed}") if (needed := proviso(lab)) else None,
        language=words.language,
        paired=lab.paired,
        preset=lab.preset,
        preset_text=_preset(words, answers, len(records)),
        epochs=lab.epochs,
        shortened=_shortened(lab, words),
        data_text=data_text(words, lab, examined),
        seeds=lab.seeds,
        runs=len(records),
        runs_text=_rests(words, records),
        machine=made_on[0] if made_on else None,
        versions=made_on[0].versions if made_on else {},
        other_machines=tuple(made_on[1:]),
        data_notes=tuple(
            DataNote(code=note.code, text=words.say(note.texts))
            for note in (*(examined.dataset.notes if examined else ()), *lab.notes)
        ),
        missing=answers.missing,
        first_look=answers.shortfall.seconds if answers.shortfall else None,
        busy=busy,
        busy_text=busy_sentence(words, records, any_timed=any_timed),
        looks=tuple(Look.model_validate(look) for look in answers.looks),
        undecided=undecided(answers),
        course_text=course_text(words, answers),
        limits=limits(words, answers),
        summary=" ".join(
            filter(
                None,
                (summary_sentence(answers, words.language), authors_sentence(answers, words)),
            )
        ),
        surprises=tuple(
            Surprise(
                question=surprise.question.question.id,
                claim=surprise.claim.claim.id,
                margins=surprise.margins,
                far_text=f"{capital(missed(words, surprise.claim))}.",
            )
            for surprise in surprising
        ),
        most_wrong_text=most_wrong(words, surprising),
        **count_grades([claim for question in answers.questions for claim in question.claims]),
        claims_by=tuple(
            VerdictsBy(by=by or None, **count_grades(claims))
            for by, claims in claims_by(answers, words).items()
        ),
        questions=questions,
        experiments=tuple(build_experiment(e, words, examined) for e in answers.experiments),
        experiments_figures=tuple(figures[-1]),
        methods=methods(words, answers, records, examined),
        facts=facts(words, answers, records, examined),
    )


def in_words(answers: Answers, words: Words) -> Answers:
    """The answers, with the question and the claims of `siffra vary` in words.

    They are planned before a language is known, in the names that knobs have on the command line.
    """
    if not answers.plan.ad_hoc:
        return answers
    questions = tuple(_in_words(question, words) for question in answers.questions)
    asked = tuple(answer.question for answer in questions)
    lab = replace(answers.plan, title=asked[0].ask, questions=asked)
    return replace(answers, plan=lab, questions=questions)


def _in_words(answer: QuestionAnswer, words: Words) -> QuestionAnswer:
    question = answer.question

    def said(claim: plan.Claim) -> plan.Claim:
        assert isinstance(claim.against, tuple)
        sides = (claim.level[0], claim.against[0])
        level, other = (level_name(words, question.levels[i]) for i in sides)
        key = "vary.claim_of" if claim.named else "vary.claim"
        level = level if question.is_external else capital(level)
        text = words(key, level=level, other=other, metric=claim.metric)
        return replace(claim, say={words.language: text})

    claims = tuple(replace(claim, claim=said(claim.claim)) for claim in answer.claims)
    ask = {words.language: compared_name(words, question)}
    asked = replace(question, ask=ask, claims=tuple(claim.claim for claim in claims))
    return replace(answer, question=asked, claims=claims)


def _numbered(captions: Captions) -> list[tuple[Figure, ...]]:
    """The figures in the report's order, each with its number: a question's results come first."""
    numbers = itertools.count(1)
    return [
        tuple(
            figure.model_copy(update={"number": next(numbers)})
            for figure in sorted(figures, key=lambda figure: not figure.shows_results)
        )
        for figures in captions
    ]


def _rests(words: Words, records: Sequence[Record]) -> str:
    """What the answers are based on; of other programs nobody knows whether they train networks."""
    if not records:
        return ""
    are_runs = any(isinstance(record.model, ExternalModel) for record in records)
    return words.count("summary.rests_runs" if are_runs else "summary.rests", len(records))


def _length(words: Words, lab: plan.Plan, records: Sequence[Record]) -> str:
    """`after 3 epochs`, where the plan cut runs to that."""
    if lab.epochs is None or not records:
        return ""
    longest = max(len(record.epochs) for record in records)
    return words.count("head.after", min(lab.epochs, longest))


def _preset(words: Words, answers: Answers, runs: int) -> str:
    lab = answers.plan
    if lab.given:
        return words.count("head.runs", runs)
    seeds, kind = len(lab.seeds), "vary" if lab.ad_hoc else "preset"
    most = answers.looks[-1].seeds if answers.looks else seeds
    if most > seeds:
        return words(f"head.{kind}_looks", preset=lab.preset, seeds=seeds, most=most)
    return words(f"head.{kind}", preset=lab.preset, seeds=words.count("head.seeds", seeds))


def _shortened(lab: plan.Plan, words: Words) -> Shortened | None:
    text = shortened(words, lab)
    if not text:
        return None
    return Shortened(
        text=text,
        epochs_from=lab.cut_from,
        stand_ins=dict(lab.stand_ins),
        left_out=lab.left_out,
    )
