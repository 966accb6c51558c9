"""Whether the best value of one knob depends on another, in sentences."""

from siffra.lab.answers import Interaction, Loss, QuestionAnswer
from siffra.report.model import claims
from siffra.report.text import numbers
from siffra.report.text.labels import knob_name, value_name
from siffra.report.text.messages import GAP, Words, capital


def interactions(words: Words, answer: QuestionAnswer) -> tuple[claims.Interaction, ...]:
    """A question's interactions; none unless it turned two knobs in all combinations."""
    return tuple(_interaction(words, interaction) for interaction in answer.interactions)


def _interaction(words: Words, interaction: Interaction) -> claims.Interaction:
    verdict = interaction.verdict
    knob, by = knob_name(words, interaction.knob), knob_name(words, interaction.by)
    best = [
        words("interaction.at", value=value_name(words, value), by=by, at=value_name(words, at))
        for at, value in interaction.best
    ]
    margin = numbers.points(words, interaction.margin)
    finding = words(
        f"interaction.{verdict}",
        knob=knob,
        by=by,
        best=words.listing(best),
        margin=margin,
        common="" if interaction.common is None else value_name(words, interaction.common),
    )
    evidence = ""
    if verdict == "depends":
        losses = "; ".join(_loss(words, by, loss) for loss in interaction.losses)
        evidence = capital(words("interaction.losses", losses=losses))
    elif verdict == "same":
        evidence = words("interaction.margin", margin=margin)
    return claims.Interaction.model_validate(interaction).model_copy(
        update={
            "verdict_text": words(f"interaction.verdict.{verdict}"),
            "finding": capital(finding),
            "evidence": evidence,
        }
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
        points=numbers.quantity(words, "points", value),
        interval=f"{level}{GAP}%: {words('quantity.from_to', low=low, high=high)}",
    )
