"""What `siffra vary` asks and claims, in a report's words."""

from dataclasses import replace

from siffra.lab.answers import Answers
from siffra.lab.plan.plan import Claim, Question
from siffra.report.text.labels import level_name, varied_name
from siffra.report.text.messages import Words
from siffra.report.text.narrative import capital


def in_words(answers: Answers, words: Words) -> Answers:
    """`answers`; those of `siffra vary` with knobs called in question and claims as elsewhere.

    It is planned before a language is known, in the names that knobs have on the command line.
    """
    if not answers.plan.ad_hoc:
        return answers
    questions = tuple(
        replace(
            found,
            question=(asked := _question(found.question, words)),
            claims=tuple(
                replace(judged, claim=claim)
                for judged, claim in zip(found.claims, asked.claims, strict=True)
            ),
        )
        for found in answers.questions
    )
    plan = replace(
        answers.plan,
        title=questions[0].question.ask,
        questions=tuple(found.question for found in questions),
    )
    return replace(answers, plan=plan, questions=questions)


def _question(question: Question, words: Words) -> Question:
    ask = words("vary.ask", knobs=varied_name(words, question))
    claims = tuple(_claim(claim, question, words) for claim in question.claims)
    return replace(question, ask={words.language: ask}, claims=claims)


def _claim(claim: Claim, question: Question, words: Words) -> Claim:
    level, first = (level_name(words, question.levels[i]) for i in (claim.level[0], 0))
    said = words("vary.claim", level=capital(level), first=first)
    return replace(claim, say={words.language: said})
