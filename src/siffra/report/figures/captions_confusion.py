"""What there is to see in confusion matrices, of a question's levels or of experiments."""

from collections.abc import Sequence

import numpy as np

from siffra.report.figures import confusion
from siffra.report.figures.confusion import Seen
from siffra.report.text import numbers
from siffra.report.text.labels import class_name, confused_sets
from siffra.report.text.messages import Words


def told_of_confusion(shown: Sequence[Seen], names: Sequence[str], words: Words) -> str:
    """The most common mistake of each, called as in `names`; of two, how they differ most."""
    told = []
    for on in confused_sets(shown):
        found = []
        for seen, called in zip(shown, names, strict=True):
            shares = confusion.shares(seen.trained, on)
            np.fill_diagonal(shares, 0.0)
            true, predicted = np.unravel_index(shares.argmax(), shares.shape)
            found.append(
                words(
                    "caption.mistake",
                    level=called,
                    true=class_name(seen.records, int(true)),
                    predicted=class_name(seen.records, int(predicted)),
                    share=numbers.share(words, shares.max(), 0),
                )
            )
        told.append(words("caption.commonest", on=words(f"on.{on}"), mistakes="; ".join(found)))
    if len(shown) == 2:
        told.append(_largest_difference(shown, names, words))
    return " ".join(told)


def _largest_difference(shown: Sequence[Seen], names: Sequence[str], words: Words) -> str:
    """Where two differ most in what they say, on the first of the sets that are shown."""
    on = confused_sets(shown)[0]
    gap = confusion.difference(shown, on)
    true, predicted = np.unravel_index(np.abs(gap).argmax(), gap.shape)
    cell = gap[true, predicted]
    return words(
        "caption.difference",
        more=names[1] if cell > 0 else names[0],
        on=words(f"on.{on}"),
        true=class_name(shown[0].records, int(true)),
        predicted=class_name(shown[0].records, int(predicted)),
        points=words.number(100 * abs(cell)),
        n=gap.size,
        first=names[0],
        second=names[1],
    )
