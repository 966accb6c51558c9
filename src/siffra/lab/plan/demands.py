"""What a question asks of the data: sets that it has, and images where pictures are to be drawn."""

from siffra.data.dataset import SHIFTED, Dataset
from siffra.data.shifted import SHIFTS
from siffra.errors import LabFileError
from siffra.lab.plan.format import QuestionTable
from siffra.lab.plan.plan import Figure

OF_IMAGES: frozenset[Figure] = frozenset({"shifts", "map", "mistakes", "weights"})
"""The figures that show images, or what becomes of them."""

_MAKES = {name: key for key, name in SHIFTS.items()}


def check_demands(table: QuestionTable, where: str, dataset: Dataset) -> None:
    """See that the data set has what a question's claims and figures are about.

    Raises:
        LabFileError: It has not; the text names the key in `where`.
    """
    for number, claim in enumerate(table.claims, start=1):
        if claim.on not in dataset.sets:
            sets = ", ".join(dataset.sets)
            told = f"{where}.claims[{number}].on: found `{claim.on}`, but the data has {sets}"
            hint = f"; `{_MAKES[claim.on]}` in `[shifts]` makes it" if claim.on in SHIFTED else ""
            raise LabFileError(f"{told}{hint}.")
    for figure in table.figures or ():
        if dataset.features and figure in OF_IMAGES:
            raise LabFileError(
                f"{where}.figures: `{figure}` is of images, and the data has rows of "
                f"{len(dataset.features)} features."
            )
