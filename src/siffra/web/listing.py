"""Lists of what lies in files: one that cannot be read must not take the others with it."""

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

log = logging.getLogger("siffra.web.requests")

T = TypeVar("T")
R = TypeVar("R")


def each_readable(
    items: Iterable[T], read: Callable[[T], R], name: Callable[[T], object]
) -> list[R]:
    """What `read` makes of each item; one of which it makes nothing is logged, and left out.

    Anybody's file may lie among them, so that this holds for errors of every kind.
    """
    results = []
    for item in items:
        try:
            results.append(read(item))
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            log.error("%s is left out: %s: %s", name(item), type(error).__name__, reason)
    return results
