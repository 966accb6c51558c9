"""The words of a report: one catalogue a language, and numbers in that language's notation."""

import math
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from siffra.errors import SiffraError, did_you_mean

LANGUAGES = ("en", "sv")
MINUS = "\N{MINUS SIGN}"
GAP = "\N{NO-BREAK SPACE}"


class Words:
    """Every text of a report in one language. Get it with `words_in`."""

    def __init__(
        self, language: str, catalogue: dict[str, str], *, is_verbatim: bool = False
    ) -> None:
        self.language = language
        self.is_verbatim = is_verbatim
        """Whether knobs and their values are called what they are, and not what siffra's are."""
        self._catalogue = catalogue

    def __call__(self, key: str, **values: Any) -> str:
        """The catalogue's text for `key` (`table.level`) with `values` put in."""
        return self._catalogue[key].format(**values)

    @property
    def texts(self) -> Mapping[str, str]:
        """Every text by its key, with its {placeholders}."""
        return MappingProxyType(self._catalogue)

    @cached_property
    def verbatim(self) -> "Words":
        """The same, for trainings that siffra does not do itself: a `warmup` is no warm-up."""
        return Words(self.language, self._catalogue, is_verbatim=True)

    def about(self, *, pairs: bool, is_claimed: bool = True) -> "Words":
        """The same; where runs of two levels are no `pairs`, of runs in the place of seeds.

        Where nobody has claimed that a level is better, what it is stands in the place of verdicts.
        """
        words = self if pairs else self._with_those_of("unpaired.")
        return words if is_claimed else words._with_those_of("unclaimed.")

    def _with_those_of(self, prefix: str) -> "Words":
        with_prefix = {key: text for key, text in self._catalogue.items() if key.startswith(prefix)}
        texts = {key.removeprefix(prefix): text for key, text in with_prefix.items()}
        return Words(self.language, self._catalogue | texts, is_verbatim=self.is_verbatim)

    def __contains__(self, key: str) -> bool:
        return key in self._catalogue

    def count(self, key: str, n: int, **values: Any) -> str:
        """The text for `n` things: `key.one` or `key.other`."""
        return self(f"{key}.{'one' if n == 1 else 'other'}", n=n, **values)

    def say(self, text: Mapping[str, str]) -> str:
        """A lab file's text in this language, else in any language that it has."""
        return text.get(self.language) or next(iter(text.values()), "")

    def listing(self, items: Iterable[str]) -> str:
        """`a, b and c`; with semicolons where an item has commas of its own."""
        *most, last = list(items) or [""]
        mark = "; " if any(", " in item for item in (*most, last)) else ", "
        return f"{mark.join(most)} {self('and')} {last}" if most else last

    def number(self, value: float, decimals: int = 0, *, signed: bool = False) -> str:
        """`value` with this language's decimal mark and a true minus sign."""
        if not math.isfinite(value):
            return self("unknown") if math.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
        text = f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"
        if float(text) == 0:
            text = text.lstrip("+-")
        return text.replace("-", MINUS).replace(".", self("decimal"))

    def exact(self, value: float) -> str:
        """A number as it was typed: 0.02, 1024, 1."""
        return f"{value:.10g}".replace("-", MINUS).replace(".", self("decimal"))


def capital(text: str) -> str:
    """`text` with its first letter large, unless that belongs to a name such as `val_loss`."""
    return text if "_" in text.partition(" ")[0] else text[:1].upper() + text[1:]


@cache
def words_in(language: str) -> Words:
    """The words of `language`.

    Raises:
        SiffraError: There is no catalogue for it.
    """
    if language not in LANGUAGES:
        raise SiffraError(
            f"no report in language `{language}`; {did_you_mean(language, LANGUAGES)}"
        )
    return Words(language, catalogue("siffra.report.text", language))


def catalogue(package: str, language: str) -> dict[str, str]:
    """The texts of one language by key, as the folder `languages` of `package` has them."""
    text = files(package).joinpath("languages", f"{language}.toml").read_text("utf-8")
    return dict(_flat(tomllib.loads(text)))


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
