"""What a lab's networks were trained and tested on: how many images, and how they are shifted."""

from siffra.data.shifted import SHIFTED
from siffra.lab.plan.plan import Plan
from siffra.report.text.messages import Words
from siffra.training.examination import Examined


def data_text(words: Words, plan: Plan, examined: Examined | None) -> str:
    """The sizes of the sets, and a sentence a shifted set; "" of trainings of other programs."""
    if not examined or plan.is_external or plan.given:
        return ""
    dataset = examined.dataset
    sizes = (dataset.train, dataset.val, dataset.test)
    train, val, test = (f"{len(images):,}".replace(",", words("thousands")) for images in sizes)
    kind = "rows" if dataset.features else "images"
    sentences = [words(f"data.{kind}", name=dataset.name, train=train, val=val, test=test)]
    sentences += [
        words(f"shifted.{name}", amount=_amount(words, name, strength))
        for name, strength in dataset.strengths.items()
    ]
    return " ".join(sentences)


def _amount(words: Words, name: str, strength: float) -> str:
    """A strength as its sentence has it; shares are in per cent."""
    return words.exact(round(100 * strength if SHIFTED[name].is_share else strength, 6))
