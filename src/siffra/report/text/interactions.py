"""Whether the best value of one knob depends on another, in sentences."""

from dataclasses import dataclass

from siffra.lab.answers import Interaction, Loss, QuestionAnswer
from siffra.report.text import numbers
from siffra.report.text.labels import knob_name, value_name
from siffra.report.text.messages import GAP, Words
from siffra.report.text.narrative import capital

_CODES = {"depends": "supported", "same": "no_difference", "inconclusive": "inconclusive"}
"""The verdicts on claims that look alike."""


@dataclass(frozen=True, slots=True)
class InteractionView:
    """An interaction with its verdict (`code` is for style), and what it rests on."""

    code: str
    verdict: str
    say: str
    evidence: str


def interactions(words: Words, answer: QuestionAnswer) -> tuple[InteractionView, ...]:
    """A question's interactions; none unless it turned two knobs in all combinations."""
    return tuple(_view(words, found) for found in answer.interactions)


def interaction_sentence(found: InteractionView) -> str:
    """An interaction in a sentence or two, its verdict first."""
    return " ".join(
        part for part in (f"{capital(found.verdict)}:", found.say, found.evidence) if part
    )


def _view(words: Words, found: Interaction) -> InteractionView:
    knob, by = knob_name(words, found.knob), knob_name(words, found.by)
    best = [
        words("interaction.at", value=value_name(words, value), by=by, at=value_name(words, at))
        for at, value in found.best
    ]
    margin = numbers.points(words, found.margin)
    told = {"knob": knob, "by": by, "best": words.listing(best), "margin": margin}
    common = "" if found.common is None else value_name(words, found.common)
    losses = "; ".join(_loss(words, by, loss) for loss in found.losses)
    if found.verdict == "depends":
        evidence = capital(words("interaction.losses", losses=losses))
    elif found.verdict == "same":
        evidence = words("interaction.margin", margin=margin)
    else:
        evidence = ""
    return InteractionView(
        code=_CODES[found.verdict],
        verdict=words(f"interaction.verdict.{found.verdict}"),
        say=capital(words(f"interaction.{found.verdict}", **told, common=common)),
        evidence=evidence,
    )


def _loss(words: Words, by: str, loss: Loss) -> str:
    estimate = loss.estimate
    half = max(estimate.high - estimate.value, estimate.value - estimate.low)
    decimals = numbers.decimals_for(100 * half)
    value, low, high = (
        words.number(100 * x, decimals, signed=True)
        for x in (estimate.value, estimate.low, estimate.high)
    )
    level = numbers.confidence(words, estimate.confidence)
    return words(
        "interaction.loss",
        value=value_name(words, loss.value),
        to=value_name(words, loss.to),
        by=by,
        at=value_name(words, loss.at),
        points=value,
        interval=f"{level}{GAP}%: {words('quantity.from_to', low=low, high=high)}",
    )
