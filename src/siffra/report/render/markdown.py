"""Text made safe for Markdown."""

import re

_SPECIAL = re.compile(r"([\\`*_{}\[\]|~#!$])")


def escape(text: str) -> str:
    """`text` as one line of Markdown that shows it as it is: no markup, no HTML, no new line."""
    # Not `\s`: no-break spaces keep numbers with their units.
    line = re.sub(r"[ \t]*[\r\n\v\f\x1c-\x1e\u0085\u2028\u2029]+[ \t]*", " ", text)
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(r"\\\1", line)


def code(text: str) -> str:
    """`text` as the one line of a fenced block, which it cannot end."""
    return " ".join(text.split()).replace("```", "'''")
