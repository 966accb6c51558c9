"""What a name such as `my_models:make` stands for: a function or a class of the user's.

Only what is here runs code of the user's, and only who names it calls it: a lab file, the
command line, Python. Names that come from elsewhere (the store, a saved model, the page) stay
names.
"""

import hashlib
import importlib
import importlib.util
import inspect
import re
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from siffra.config.estimator import Estimator, is_estimator, packages_of
from siffra.config.factory import Factory
from siffra.errors import ConfigError, did_you_mean

_NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):([A-Za-z_]\w*)")


def load_factory(name: str, *folders: Path) -> Factory:
    """The function or estimator `module:name` of the first of the folders with a `module.py`.

    An estimator may also be in a package that is installed: `sklearn.svm:SVC`.

    Raises:
        ConfigError: There is no such file or function, the file fails, or a parameter of the
            function cannot be a knob.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise ConfigError(f"model: found {name!r}; name a function as `my_models:make`.")
    module_name, function = match.groups()
    file = Path(*module_name.split(".")).with_suffix(".py")
    path = next((folder / file for folder in folders if (folder / file).is_file()), None)
    if path is None:
        installed = _installed(name)
        if installed is not None:
            return installed
        if module_name.endswith(".py"):
            raise ConfigError(
                f"model: found {name!r}; name the module without .py, as "
                f"{module_name.removesuffix('.py')}:{function}. It must be a function that makes "
                "a PyTorch module, or a classifier's class, and no script."
            )
        places = " or ".join(str(folder.absolute()) for folder in dict.fromkeys(folders))
        raise ConfigError(f"model: {name}: there is no {file} in {places}.")
    return _from_code(name, path.absolute(), path.read_bytes())


def _from_code(name: str, path: Path, source: bytes) -> Factory:
    """What has that `name` in the module that `path` has, or had, with this `source`."""
    module_name, _, function = name.partition(":")
    module = _module(path, source, path.parents[module_name.count(".")])
    make = getattr(module, function, None)
    if not callable(make):
        known = [word for word, value in vars(module).items() if _is_own(value, module)]
        hint = did_you_mean(function, known) if known else "it has none."
        raise ConfigError(f"model: {name}: {path.name} has no function `{function}`; {hint}")
    if is_estimator(make):
        factory: Factory = Estimator.of_class(cast("type", make), name, source)
    else:
        factory = Factory.of(make, name, source)
    factory.again = _from_code, (name, path, source)
    return factory


def factory_of(make: Callable[..., object]) -> Factory:
    """A function or a class that is already there, as in a notebook.

    Raises:
        ConfigError: Its source is not known, or a parameter cannot be a knob.
    """
    name = f"{make.__module__}:{getattr(make, '__qualname__', type(make).__name__)}"
    if is_estimator(make) and packages_of(cast("type", make)):
        estimator = Estimator.of_class(cast("type", make), name)
        estimator.again = _installed, (str(estimator),)
        return estimator
    try:
        path = Path(inspect.getsourcefile(make) or "")
        # The file, so that a run is the same run as by its name; a notebook's cell is no file.
        source = path.read_bytes() if path.is_file() else inspect.getsource(make).encode()
    except (OSError, TypeError) as error:
        raise ConfigError(f"model: the source of {name} is not known: {error}.") from error
    if is_estimator(make):
        factory: Factory = Estimator.of_class(cast("type", make), name, source)
    else:
        factory = Factory.of(make, name, source)
    # The program that runs would run once more wherever it is read.
    if path.is_file() and make.__module__ != "__main__" and "." not in name.partition(":")[2]:
        factory.again = _from_code, (name, path.absolute(), source)
    return factory


def as_model(model: object) -> Any:
    """A value of the knob `model`, with a function or the name of one made a `Factory`.

    Raises:
        ConfigError: It is not a function that can be used; see `load_factory`.
    """
    if isinstance(model, Factory):
        return model
    if isinstance(model, str):
        return load_factory(model, Path()) if ":" in model else model
    return factory_of(model) if callable(model) else model


def _installed(name: str) -> Factory | None:
    """The class of a package that is installed; none of Python's own has an estimator.

    Raises:
        ConfigError: Its module fails when it is imported, or has no such class.
    """
    module, _, attribute = name.partition(":")
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        return None
    try:
        imported = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if top == error.name == "sklearn":
            raise ConfigError(
                f"model: {name} needs scikit-learn; run `pip install 'siffra[sklearn]'`."
            ) from error
        if error.name and f"{module}.".startswith(f"{error.name}."):
            return None
        raise ConfigError(f"model: {name}: {_in_a_line(error)}.") from error
    except Exception as error:
        raise ConfigError(f"model: {name}: {_in_a_line(error)}.") from error
    kind = getattr(imported, attribute, None)
    if is_estimator(kind):
        return factory_of(cast("type", kind))
    known = [word for word, value in vars(imported).items() if is_estimator(value)]
    hint = did_you_mean(attribute, known) if known else "it has none."
    raise ConfigError(
        f"model: {name}: {module} has no classifier `{attribute}`, a class with fit and predict; "
        f"{hint}"
    )


def _in_a_line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split()).rstrip('.')}"


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
        return f"{path.name} needs PyTorch; run `pip install 'siffra[torch]'`"
    if isinstance(error, ModuleNotFoundError) and error.name == "sklearn":
        return f"{path.name} needs scikit-learn; run `pip install 'siffra[sklearn]'`"
    frames = traceback.extract_tb(error.__traceback__)
    line = error.lineno if isinstance(error, SyntaxError) else None
    line = line or next((f.lineno for f in reversed(frames) if f.filename == str(path)), None)
    reason = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())
    where = f"{path.name}, line {line}" if line else path.name
    return f"{where}: {type(error).__name__}: {reason.rstrip('.')}"


def _is_own(value: object, module: ModuleType) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module.__name__
