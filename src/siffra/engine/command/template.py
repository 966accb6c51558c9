"""A command as its author writes it, with places for the knobs, the seed and a folder.

`python train.py --lr {learning_rate} --seed {seed}` is a list of words. No shell ever sees it, so
that one word stays one word whatever value is put in.
"""

import os
import re
import shlex
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from siffra.errors import ConfigError, did_you_mean

KnobValue = bool | int | float | str

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./{}-]+")
"""A word that is shown without quotes."""
_RESERVED = ("seed", "out")
_OF_SHELLS = re.compile(r"\|\|?|&&?|;|<|[12&]?>>?(?!=).*")
_HOME = re.compile(r"~(/.*)?")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


@dataclass(frozen=True, slots=True)
class CommandTemplate:
    """The words of a command, as they were written.

    `{name}` in a word is a knob of the command, `{seed}` is the seed of a run, `{out}` a folder of
    its own; `{{` and `}}` are braces.

    Raises:
        ConfigError: There is no word, a brace has no partner, a name is none, or there is no
            `{seed}`.
    """

    raw: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.raw or not self.raw[0]:
            raise ConfigError("command: found no program; write it as `python train.py`.")
        for word in self.raw:
            _check_word(word)
        if "seed" not in self._names():
            raise ConfigError(
                f"command: `{self}` has no `{{seed}}`, so every run would be the same; "
                "add it where the program takes its seed, as `--seed {seed}`."
            )

    @classmethod
    def parse(cls, command: str | Sequence[str]) -> Self:
        """From one text, which is split as a shell splits words, or from a list of words.

        Raises:
            ConfigError: As for the class; or the text has an unclosed quote, or a word that only
                a shell understands.
        """
        if not isinstance(command, str):
            return cls(tuple(command))
        try:
            words = shlex.split(command)
        except ValueError:
            raise ConfigError(
                f"command: found {command!r}; a quote is not closed, or the last `\\` is followed "
                "by nothing."
            ) from None
        for word in words:
            if _OF_SHELLS.fullmatch(word):
                raise ConfigError(
                    f"command: found `{word}`, but no shell runs the command; put it in a script, "
                    "or write `sh -c '…'`."
                )
            if _HOME.fullmatch(word):
                raise ConfigError(
                    f"command: found `{word}`, but no shell runs the command; write "
                    f"`{os.path.expanduser(word)}`."
                )
        return cls(tuple(words))

    def __str__(self) -> str:
        return " ".join(w if _PLAIN.fullmatch(w) else shlex.quote(w) for w in self.raw)

    @property
    def knobs(self) -> frozenset[str]:
        """Names of the command's own knobs."""
        return frozenset(self._names()) - set(_RESERVED)

    @property
    def uses_out(self) -> bool:
        """Whether it names the folder of the run."""
        return "out" in self._names()

    def check_knobs(self, given: Collection[str]) -> None:
        """Raises ConfigError unless the names are exactly those of the command's knobs."""
        for name in given:
            if name in _RESERVED:
                raise ConfigError(f"knob `{name}`: siffra itself gives each run its `{{{name}}}`.")
            if name not in self.knobs:
                hint = did_you_mean(name, self.knobs) if self.knobs else "it has no knob."
                raise ConfigError(f"knob `{name}`: the command has no `{{{name}}}`; {hint}")
        for name in sorted(self.knobs - set(given)):
            raise ConfigError(
                f"command: `{{{name}}}` has no value; give the knob `{name}` one, "
                f"or write `{{{{{name}}}}}` if braces are meant."
            )

    def words(self, knobs: Mapping[str, KnobValue], seed: int, out: Path | str) -> list[str]:
        """The words of one run.

        Whole numbers and floats are written as Python writes them, booleans as true and false.

        Raises:
            ConfigError: The knobs are not those of the command, or a text has a character that
                no program can be given.
        """
        self.check_knobs(knobs)
        values = {name: _text(name, value) for name, value in knobs.items()}
        values |= {"seed": str(seed), "out": str(out)}
        return [_fill(word, values) for word in self.raw]

    def check_program(self, cwd: Path) -> None:
        """Raises ConfigError if there is no such program; one that a knob names is not checked."""
        program = self.raw[0]
        if _PIECE.search(program) or shutil.which(cwd / program if "/" in program else program):
            return
        raise ConfigError(f"command: found no program `{program}`; {_hint(program, cwd)}")

    def _names(self) -> Iterator[str]:
        return (piece[1] for word in self.raw for piece in _PIECE.finditer(word) if piece[1])


def _check_word(word: str) -> None:
    if "\0" in word:
        raise ConfigError(f"command: found {word!r}; no word can have a null character.")
    for piece in _PIECE.finditer(word):
        if piece[0] in ("{", "}"):
            raise ConfigError(
                f"command: found `{word}`, where a `{piece[0]}` has no partner; "
                f"write `{piece[0] * 2}` for a brace."
            )
        if piece[1] is not None and not _NAME.fullmatch(piece[1]):
            raise ConfigError(
                f"command: found `{piece[0]}`; name a knob in letters, digits and `_`, as "
                "`{lr}`, or write `{{` and `}}` for braces."
            )


def _text(name: str, value: KnobValue) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(float(value))  # NumPy's would be `np.float64(0.1)`
    text = str(value)
    if "\0" in text:
        raise ConfigError(f"knob `{name}`: found {text!r}; it cannot have a null character.")
    return text


def _fill(word: str, values: Mapping[str, str]) -> str:
    return _PIECE.sub(lambda piece: values[piece[1]] if piece[1] else piece[0][0], word)


def _hint(program: str, cwd: Path) -> str:
    if _ASSIGNMENT.match(program):
        return f"to set a variable, begin with `env {program}`."
    if (cwd / program).is_file():
        if "/" in program:
            return f"make it executable with `chmod +x {program}`, or name its interpreter first."
        return f"write `./{program}`, or name its interpreter first."
    return "it is neither on PATH nor a file."
