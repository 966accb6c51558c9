"""A user's own model: a function that makes a PyTorch module, whose parameters are knobs."""

import hashlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Self

from siffra.config.knobs import Knob
from siffra.config.training import Training
from siffra.errors import ConfigError

GIVEN = ("image_shape", "classes")
"""Parameters that siffra fills in: (height, width, channels), and the number of classes."""
_TYPES = (bool, int, float, str)


class Factory(str):
    """The name of a function, as `my_models:make`, that knows the function.

    A string, so that it can stand wherever a kind of model does. `source` is the SHA-256 (hex)
    of the file the function is in, `knobs` its parameters, `defaults` what they are unless said,
    `given` the names of those that siffra fills in. Pickled, it is what makes it `again`, in other
    processes and on other machines: a function and what it is given.
    """

    make: Callable[..., Any]
    source: str
    knobs: Mapping[str, Knob]
    defaults: Mapping[str, bool | int | float | str]
    given: tuple[str, ...]
    again: tuple[Callable[..., "Factory | None"], tuple[Any, ...]] | None = None

    @classmethod
    def of(cls, make: Callable[..., object], name: str, source: bytes) -> Self:
        """Read the knobs of `make` from its signature; `source` is the code it is in.

        Raises:
            ConfigError: A parameter cannot be a knob.
        """
        factory = cls(name)
        factory.make, factory.source = make, hashlib.sha256(source).hexdigest()
        parameters = [p for p in parameters_of(make) if p.name not in GIVEN]
        factory.given = tuple(p.name for p in parameters_of(make) if p.name in GIVEN)
        types = {p.name: _type(p, name) for p in parameters}
        factory.knobs = {
            p.name: Knob(p.name, f"parameter of {name}", types[p.name], (name,)) for p in parameters
        }
        factory.defaults = {p.name: types[p.name](p.default) for p in parameters}
        return factory

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is pickled.

        Raises:
            ConfigError: It is from a notebook or the program itself, and not from a file.
        """
        if self.again is None:
            raise ConfigError(
                f"model: {self} is not in a module; put it into a file of its own to train it "
                "in other processes or on other machines."
            )
        return self.again

    def __deepcopy__(self, memo: object) -> Self:
        return self


def parameters_of(make: Callable[..., object]) -> list[inspect.Parameter]:
    """All but `*args` and `**kwargs`."""
    try:
        signature = inspect.signature(make, eval_str=True)
    except Exception:  # an annotation that means something to a type checker only
        signature = inspect.signature(make)
    any_number = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in signature.parameters.values() if p.kind not in any_number]


def _type(parameter: inspect.Parameter, factory: str) -> type:
    name, default = parameter.name, parameter.default
    if name in (*Training.model_fields, "model", "seed"):
        raise ConfigError(
            f"model: {factory}: its parameter `{name}` is called as a knob of training is; "
            "give it another name."
        )
    if type(default) not in _TYPES or parameter.kind is inspect.Parameter.POSITIONAL_ONLY:
        raise ConfigError(
            f"model: {factory}: its parameter `{name}` needs a default that is a number, a text, "
            f"True or False (only {' and '.join(f'`{given}`' for given in GIVEN)} need none)."
        )
    wanted = parameter.annotation
    return float if wanted is float and type(default) is int else type(default)
