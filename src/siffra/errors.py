"""Every error that siffra raises on purpose.

SiffraError            anything that the user can mend; shown as it stands, exit code 2
  ConfigError          a model, a training or a knob is wrong
    LabFileError       a lab file is wrong (text starts with the file and the key)
    RecipeError        so is a recipe
  SearchError          a search that cannot be made, or found nothing
  DataError            a data set cannot be used
    ResultsError       a table of finished runs cannot be read, or not be judged
  ModelFileError       a saved model cannot be read, or does not fit what it is asked
  BenchError           the bench could not time what it was asked to
  StoreError           the store of runs cannot do what was asked
  ExecutorError        the runs of a lab cannot be made where they were to be
"""

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType


class SiffraError(Exception):
    """Base class; its text is one line, meant for the user.

    `texts` has that line by language, where it is there in several.
    """

    texts: Mapping[str, str] = MappingProxyType({})

    def text(self, language: str) -> str:
        """Its line in a language, in English if there is no other."""
        return self.texts.get(language, str(self))


class ConfigError(SiffraError):
    """A model, a training or a knob that cannot be run."""


class LabFileError(ConfigError):
    """A lab file that cannot be planned."""


class RecipeError(ConfigError):
    """A recipe that cannot be read."""


class SearchError(SiffraError):
    """A search that cannot be made with what it was given."""


class DataError(SiffraError):
    """A data set that cannot be read or does not hold together."""


class ResultsError(DataError):
    """A table of finished runs that cannot be read, or does not say what its runs show."""


class ModelFileError(SiffraError):
    """A saved model that cannot be read, or does not fit the images it is given."""


class BenchError(SiffraError):
    """Something that was to be timed failed, or took too long."""


class StoreError(SiffraError):
    """A store of runs that cannot be opened, read or written."""


class ExecutorError(SiffraError):
    """An executor that cannot make runs, or that loses them again and again."""


class SiffraWarning(UserWarning):
    """What can be done, but is hardly what was meant; its text is one line, as an error's is."""


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """A hint to end a message with: the nearest known name, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(found, names, n=1)
    if near:
        return f"did you mean `{near[0]}`?"
    return f"known: {', '.join(names)}."
