"""A user's own model: a function that makes a PyTorch module, whose parameters are knobs.

Only `load_factory` runs code of the user's, and only who names a file calls it: a lab file, the
command line, Python. Names that come from elsewhere (the store, a saved model, the page) stay
names.
"""

import hashlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from siffra.config.knob import Knob
from siffra.config.training import Training
from siffra.errors import ConfigError, did_you_mean

GIVEN = ("image_shape", "classes")
"""Parameters that siffra fills in: (height, width, channels), and the number of classes."""
_TYPES = (bool, int, float, str)
_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")


class Factory(str):
    """The name of a function, as `my_models:make`, that knows the function.

    A string, so that it can stand wherever a kind of model does. `source` is the SHA-256 (hex)
    of the file the function is in, `knobs` its parameters, `defaults` what they are unless said,
    `given` the names of those that siffra fills in. Pickled, it is its `file` with its code, so
    that other processes and machines have the same function.
    """

    make: Callable[..., Any]
    source: str
    knobs: Mapping[str, Knob]
    defaults: Mapping[str, bool | int | float | str]
    given: tuple[str, ...]
    file: tuple[Path, bytes] | None

    @classmethod
    def of(
        cls, make: Callable[..., Any], name: str, source: bytes, path: Path | None = None
    ) -> Self:
        """Read the knobs of `make` from its signature; `source` is the code it is in.

        Without the `path` of that it cannot be pickled.

        Raises:
            ConfigError: A parameter cannot be a knob.
        """
        factory = cls(name)
        factory.make, factory.source = make, hashlib.sha256(source).hexdigest()
        factory.file = (path.absolute(), source) if path else None
        parameters = [p for p in _parameters(make) if p.name not in GIVEN]
        factory.given = tuple(p.name for p in _parameters(make) if p.name in GIVEN)
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
        if self.file is None:
            raise ConfigError(
                f"model: {self} is not in a module; put it into a file of its own to train it "
                "in other processes or on other machines."
            )
        return _from_code, (str(self), *self.file)

    def __deepcopy__(self, memo: object) -> Self:
        return self


def load_factory(name: str, *folders: Path) -> Factory:
    """The function `module:function` of the first of the folders that has the file `module.py`.

    Raises:
        ConfigError: There is no such file or function, the file fails, or a parameter of the
            function cannot be a knob.
    """
    found = _NAME.fullmatch(name)
    if not found:
        raise ConfigError(f"model: found {name!r}; name a function as `my_models:make`.")
    module_name, _ = found.groups()
    file = Path(*module_name.split(".")).with_suffix(".py")
    path = next((folder / file for folder in folders if (folder / file).is_file()), None)
    if path is None:
        places = " or ".join(str(folder.absolute()) for folder in dict.fromkeys(folders))
        raise ConfigError(f"model: {name}: there is no {file} in {places}.")
    return _from_code(name, path, path.read_bytes())


def _from_code(name: str, path: Path, source: bytes) -> Factory:
    """The function of that `name` in the module that `path` has, or had, with this `source`."""
    module_name, _, function = name.partition(":")
    module = _module(path, source, path.absolute().parents[module_name.count(".")])
    make = getattr(module, function, None)
    if not callable(make):
        known = [word for word, value in vars(module).items() if _is_own(value, module)]
        hint = did_you_mean(function, known) if known else "it has none."
        raise ConfigError(f"model: {name}: {path.name} has no function `{function}`; {hint}")
    return Factory.of(make, name, source, path)


def factory_of(make: Callable[..., Any]) -> Factory:
    """A function that is already there, as in a notebook.

    Raises:
        ConfigError: Its source is not known, or a parameter cannot be a knob.
    """
    name = f"{make.__module__}:{getattr(make, '__qualname__', type(make).__name__)}"
    try:
        path = Path(inspect.getsourcefile(make) or "")
        # The file, so that a run is the same run as by its name; a notebook's cell is no file.
        source = path.read_bytes() if path.is_file() else inspect.getsource(make).encode()
    except (OSError, TypeError) as error:
        raise ConfigError(f"model: the source of {name} is not known: {error}.") from error
    # The program that runs would run once more wherever it is read.
    again = path.is_file() and make.__module__ != "__main__" and "." not in name.partition(":")[2]
    return Factory.of(make, name, source, path if again else None)


def as_model(model: Any) -> Any:
    """A value of the knob `model`, with a function or the name of one made a `Factory`.

    Raises:
        ConfigError: It is no function that can be used; see `load_factory`.
    """
    if isinstance(model, Factory):
        return model
    if isinstance(model, str):
        return load_factory(model, Path()) if ":" in model else model
    return factory_of(model) if callable(model) else model


def _module(path: Path, source: bytes, root: Path) -> ModuleType:
    """The module in `path`, run once for each content; `root` is where it can import from."""
    digest = hashlib.sha256(str(path.absolute()).encode() + b"\0" + source).hexdigest()
    name = f"_siffra_{digest[:16]}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        with _importing_from(root):
            exec(compile(source, str(path), "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        raise ConfigError(f"model: {_failed(path, error)}.") from error
    except BaseException:
        del sys.modules[name]
        raise
    return module


@contextmanager
def _importing_from(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _failed(path: Path, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name == "torch":
        return f"{path.name} needs PyTorch; `pip install 'siffra[torch]'` brings it"
    frames = traceback.extract_tb(error.__traceback__)
    line = error.lineno if isinstance(error, SyntaxError) else None
    line = line or next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)
    told = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    where = f"{path.name}, line {line}" if line else path.name
    return f"{where}: {type(error).__name__}: {told.rstrip('.')}"


def _is_own(value: Any, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__


def _parameters(make: Callable[..., Any]) -> list[inspect.Parameter]:
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
