"""What ends a command: exit codes, and a mistake or a lack of the machine's in one line.

Where it is known what was asked for, it is told there. What is here may come from anywhere: a
library that cannot be loaded, a process that cannot be started, a picture that finds no memory.
"""

import errno
import re
from typing import Any

import typer
from pydantic import ValidationError

from siffra.config import KNOBS
from siffra.config.validation import describe, first_mistake
from siffra.errors import did_you_mean

UNREAD = 1
"""Whoever read its output has gone."""
MISTAKE = 2
"""Of the user's; or the machine lacks something."""
INTERRUPTED = 130
"""By Ctrl-C, as shells have it: 128 and the signal's number. So 143 by `kill`, 129 by a terminal
that was closed."""

_CHOICE = re.compile("Value error, '(.*)' is not one of (.*)")
"""What the parser says of a word that is none of an option's."""
_KEPT = "Finished runs are stored; rerun the same command to continue."
_TOO_MANY_FILES = (
    f"too many open files; raise the limit (ulimit -n 1024) or use fewer --jobs. {_KEPT}"
)
_NO_PROCESSES = f"cannot start another process or thread; end some or use fewer --jobs. {_KEPT}"
_NO_MEMORY = f"out of memory; end other programs or use fewer --jobs. {_KEPT}"
_NOT_MAPPED = ("cannot allocate memory", "failed to map segment", "cannot map", "out of memory")


def explain_lack(error: Exception) -> str | None:
    """The message for an exhausted resource, with a remedy; None for any other error."""
    match error:
        case MemoryError():
            return _NO_MEMORY
        case OSError():
            return _of_the_system(error)
        case ImportError() if any(phrase in str(error).lower() for phrase in _NOT_MAPPED):
            return _NO_MEMORY
        case RuntimeError() if "can't start new thread" in str(error):
            return _NO_PROCESSES
    return None


def _of_the_system(error: OSError) -> str:
    match error.errno:
        case errno.EMFILE | errno.ENFILE:
            return _TOO_MANY_FILES
        case errno.ENOMEM:
            return _NO_MEMORY
        case errno.EAGAIN if error.filename is None:
            return _NO_PROCESSES
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"{error.filename}: {reason}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return f"cannot write ({reason}); is the disk full, or the output closed? {_KEPT}"
    return f"system error: {reason}."


def usage_mistake(error: typer.TyperException) -> str:
    """What the parser found wrong, on one line, worded as siffra's own errors are."""
    wrong, param = error.__cause__, getattr(error, "param", None)
    if isinstance(wrong, ValidationError) and param:
        return f"{_named(param)}: {_wrong_value(wrong)}"
    if meant := _meant(error):
        return f"no such option: {getattr(error, 'option_name', '')}; did you mean {meant}?"
    text = " ".join(error.format_message().split()).rstrip(".")
    text = re.sub(
        r" \(Possible options: (.*)\)$",
        lambda found: f"; did you mean {' or '.join(found[1].split(', '))}?",
        text,
    )
    text = re.sub(r"\. Did you mean (.*)\?$", r"; did you mean \1?", text)
    text = re.sub(r"^Option '(\S+)' requires an argument$", r"\1: it needs a value", text)
    return text[:1].lower() + text[1:] + ("" if text.endswith("?") else ".")


def _meant(error: typer.TyperException) -> str | None:
    """The option of this command that others call as the user did: --learning-rate for --lr."""
    called = getattr(error, "option_name", "").lstrip("-").replace("-", "_")
    context = getattr(error, "ctx", None)
    known = {option for param in context.command.params for option in param.opts} if context else ()
    meant = (
        f"--{name}".replace("_", "-") for name, knob in KNOBS.items() if called in knob.aliases
    )
    return next((option for option in meant if option in known), None)


def _wrong_value(error: ValidationError) -> str:
    mistake = first_mistake(error)
    choice = _CHOICE.match(mistake["msg"])
    if not choice:
        return describe(mistake)
    given, known = choice.groups()
    hint = did_you_mean(given, re.findall("'([^']+)'", known))
    return f"found {given!r}; {hint}"


def _named(param: Any) -> str:
    """An option as it is typed, an argument as the help has it."""
    option = next((name for name in param.opts if name.startswith("--")), None)
    return option or param.human_readable_name
