"""What goes wrong in somebody else's code, told with the name of the model that it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from siffra.config import OwnModel
from siffra.errors import ConfigError


@contextmanager
def blamed_on(model: OwnModel, where: str = "") -> Iterator[None]:
    """Whatever is raised within becomes one line; `where` says more, as ` on a batch of 7`.

    Raises:
        ConfigError: Something was.
    """
    try:
        yield
    except Exception as error:
        message = " ".join(str(error).split()).rstrip(".")
        raise ConfigError(
            f"model: {model.factory} fails{where}: {type(error).__name__}: {message}."
        ) from error
