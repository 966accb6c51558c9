"""An estimator of scikit-learn's, or a class in its manner: its parameters are knobs."""

import hashlib
import inspect
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Self

from siffra.config.factory import Factory, parameters_of
from siffra.config.knobs import Knob
from siffra.errors import ConfigError

FILLED = ("image_shape", "classes", "random_state", "n_jobs")
"""Parameters that siffra fills in: the images', the run's seed, the number of threads."""
_LIBRARY = "scikit-learn"


class Estimator(Factory):
    """The name of a class with `fit` and `predict`, as `sklearn.svm:SVC`, that knows the class.

    Any of its `knobs` takes a number, a text, True or False, None, or a list of these: what is
    right is for the class to say, when it is fitted. `source` has the versions of the packages
    that the class is of, or the SHA-256 (hex) of its file, and the version of scikit-learn.
    """

    @classmethod
    def of_class(cls, kind: type, name: str, code: bytes | None = None) -> Self:
        """Read the knobs of `kind` from its signature.

        `code` is the file that it is in, unless it is of a package that is installed.

        Raises:
            ConfigError: A parameter cannot be a knob.
        """
        estimator = cls(_public(kind, name))
        estimator.make = kind
        parameters = parameters_of(kind)
        estimator.given = tuple(p.name for p in parameters if p.name in FILLED)
        knobs = [p for p in parameters if p.name not in FILLED]
        for parameter in knobs:
            _expect_knob(parameter, name)
        estimator.knobs = {
            p.name: Knob(p.name, f"parameter of {name}", object, (name,), per_layer=True)
            for p in knobs
        }
        estimator.defaults = {p.name: p.default for p in knobs}
        estimator.source = _source(kind, code)
        return estimator


_NOT_FOR_CLASSES = {"RegressorMixin", "ClusterMixin", "OutlierMixin"}


def is_estimator(made: object) -> bool:
    """Whether it is a class with `fit` and `predict`, as far as it says for telling classes."""
    return (
        isinstance(made, type)
        and all(callable(getattr(made, name, None)) for name in ("fit", "predict"))
        and not _NOT_FOR_CLASSES & {base.__name__ for base in made.__mro__}
    )


def _public(kind: type, name: str) -> str:
    """`name` without the private modules that a class may lie in: one class has one name."""
    module, _, attribute = name.partition(":")
    while "._" in module:
        module = module.rpartition(".")[0]
        if getattr(sys.modules.get(module), attribute, None) is kind:
            return f"{module}:{attribute}"
    return name


def _expect_knob(parameter: inspect.Parameter, name: str) -> None:
    if parameter.name in ("model", "seed"):
        raise ConfigError(
            f"model: {name}: its parameter `{parameter.name}` is called as siffra's own is; "
            "give it another name."
        )
    if parameter.default is inspect.Parameter.empty:
        raise ConfigError(
            f"model: {name}: its parameter `{parameter.name}` needs a default "
            f"(only {', '.join(FILLED)} need none)."
        )


def packages_of(kind: type) -> list[str]:
    """The installed packages that a class is of; none if it is in a file of the user's."""
    top = kind.__module__.partition(".")[0]
    if top == "sklearn":  # to look through all that is installed takes a while
        return [_LIBRARY]
    return sorted(set(packages_distributions().get(top, ())))


def _source(kind: type, code: bytes | None) -> str:
    """All that an estimator's results depend on beside its parameters, as far as is known."""
    if code is not None:
        sources = [hashlib.sha256(code).hexdigest()]
    else:
        sources = [f"{package} {_version(package)}" for package in packages_of(kind)]
    return ", ".join(dict.fromkeys([*sources, f"{_LIBRARY} {_version(_LIBRARY)}"]))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"
