"""Why a search has nothing to tell, in one line that says what to change."""

import math

from siffra.errors import SearchError
from siffra.search.asked import Asked
from siffra.search.budget import spell_seconds
from siffra.search.finals import MUST
from siffra.search.timing import FEWEST_STEPS


def no_time(asked: Asked, least: float) -> SearchError:
    """No network can be trained and scored as the winner in less than `least` seconds."""
    with_fixed, fewer = _fixed(asked)
    return SearchError(
        f"time: {spell_seconds(asked.time)} is too little to train a network{with_fixed} "
        f"{MUST} times on this machine and to score it, which takes "
        f"{spell_seconds(math.ceil(least))} or more; give a longer --time{fewer}."
    )


def too_slow(asked: Asked, threads: int) -> SearchError:
    """No network makes enough steps in the budget."""
    with_fixed, fewer = _fixed(asked)
    return SearchError(
        f"budget: in {spell_seconds(asked.budget)} no network{with_fixed} makes "
        f"{FEWEST_STEPS} steps on this machine, the least that a training can be judged by; "
        f"give a longer --budget{fewer}{'' if threads > 1 else ', or more --threads'}."
    )


def _fixed(asked: Asked) -> tuple[str, str]:
    """Which knobs are fixed, and what can be done about it; nothing where none is."""
    fixed = ", ".join(f"{name} = {value}" for name, value in asked.fixed.items())
    return (f" with {fixed}", ", or fix fewer knobs") if fixed else ("", "")
