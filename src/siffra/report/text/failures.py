"""Why runs failed: what became of their process, and the last line that it printed."""

from collections import Counter
from collections.abc import Sequence

from siffra.report.text.messages import Words
from siffra.training.run import Record

_LONGEST = 160
"""Characters of a line of output that are shown."""


def failure_text(words: Words, name: str, records: Sequence[Record]) -> str:
    """`lr 0.3: 5 of 5 runs failed (exit 1): CUDA out of memory`; "" if none failed.

    `name` is what has these runs. What is shown of their output is the last line of the latest.
    """
    failed = [record for record in records if record.failure]
    if not failed:
        return ""
    why = Counter(record.failure for record in failed).most_common()
    reasons = [w if len(why) == 1 else words("failures.times", why=w, n=n) for w, n in why]
    text = words.count(
        "failures.of", len(records), down=len(failed), name=name, why=words.listing(reasons)
    )
    last = next((line for record in reversed(failed) if (line := record.last_words)), "")
    return f"{text}: {shortened_line(last)}" if last else f"{text}."


def shortened_line(line: str) -> str:
    """A line of output that may be very long."""
    line = line.strip()
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
