"""What a question asks of the data: sets that it has, and images where pictures are to be drawn."""

from siffra.data.dataset import Dataset
from siffra.data.shifted import SHIFTED
from siffra.errors import LabFileError
from siffra.lab.plan.format import QuestionTable
from siffra.lab.plan.plan import Figure

OF_IMAGES: frozenset[Figure] = frozenset({"shifts", "map", "mistakes", "weights"})
"""The figures that show images, or what becomes of them."""


def check_demands(table: QuestionTable, where: str, dataset: Dataset) -> None:
    """See that the data set has what a question's claims and figures are about.

    Raises:
        LabFileError: It has not; the text names the key in `where`.
    """
    for number, claim in enumerate(table.claims, start=1):
        if claim.on not in dataset.sets:
            sets = ", ".join(dataset.sets)
            shift = SHIFTED.get(claim.on)
            hint = f"; `{shift.key}` in `[shifts]` makes it" if shift else ""
            raise LabFileError(
                f"{where}.claims[{number}].on: found `{claim.on}`, but the data has {sets}{hint}."
            )
    for figure in table.figures or ():
        if dataset.features and figure in OF_IMAGES:
            raise LabFileError(
                f"{where}.figures: `{figure}` needs images, but the data has rows of "
                f"{len(dataset.features)} features."
            )
