"""How often a search shows what is not there: `python -m benchmarks.tuning [SEARCHES]`.

Its metric is noise, so that no setting is better than another, nor than the baseline.
"""

import random
import sys

import siffra
from siffra.report.text.searched import search_of

SEARCHES = 300


def promised(number: int) -> tuple[bool, bool]:
    """Whether a search's promise was luck, and whether its winner is shown to be better."""

    def noise(x: int, seed: int) -> dict[str, float]:
        return {"loss": random.Random(f"aa{number} {x} {seed}").gauss(0, 1)}

    result = siffra.tune({"x": "0..1000"}, train=noise, metric="loss:lower", baseline={"x": -1})
    search = search_of(result.answers.questions[0])
    assert search
    verdicts = {(claim.grade, claim.verdict) for claim in result.claims}
    return (search.luck or 0.0) > 0, ("shown", "supported") in verdicts


def main() -> None:
    """Search again and again, and count."""
    searches = int(sys.argv[1]) if len(sys.argv) > 1 else SEARCHES
    counts = [promised(number) for number in range(searches)]
    lucky, shown = (sum(each) for each in zip(*counts, strict=True))
    print(f"{searches} searches: {lucky} promised too much, {shown} showed a difference")


if __name__ == "__main__":
    main()
