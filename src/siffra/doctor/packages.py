"""Versions of what siffra rests on, and of its extras."""

import platform
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, metadata, requires, version

from packaging.requirements import Requirement

from siffra.doctor.finding import Complaint, Fact, Finding

_TOLD = ("numpy", "scipy", "numba")
_FOR_DEVELOPERS = ("dev", "docs")


def packages() -> Finding:
    """Versions, the extras that are there, and requirements that are not met."""
    asked = [Requirement(line) for line in requires("siffra") or ()]
    facts: dict[str, Fact] = {"python": platform.python_version(), "siffra": version("siffra")}
    facts |= {name: version(name) for name in _TOLD}
    facts |= {f"siffra[{extra}]": _state(extra, asked) for extra in _extras()}
    return Finding("versions", facts, tuple(wrong_versions(_of_extra("", asked))))


def wrong_versions(asked: Iterable[Requirement]) -> Iterator[Complaint]:
    """A complaint about each requirement that is not met."""
    for requirement in asked:
        found = _installed(requirement.name)
        if found is None or not requirement.specifier.contains(found, prereleases=True):
            has = "is not installed" if found is None else f"is {found}"
            yield Complaint(
                f"{requirement.name} {has}; siffra needs {requirement.specifier}.",
                f"pip install '{requirement.name}{requirement.specifier}'",
            )


def _extras() -> list[str]:
    every = metadata("siffra").get_all("Provides-Extra") or []
    return [extra for extra in every if extra not in _FOR_DEVELOPERS]


def _state(extra: str, asked: list[Requirement]) -> str:
    """The versions of an extra's packages, or how to get it."""
    needed = list(_of_extra(extra, asked))
    if any(wrong_versions(needed)):
        return f"not there; pip install 'siffra[{extra}]' gets it"
    return ", ".join(f"{each.name} {_installed(each.name)}" for each in needed)


def _of_extra(extra: str, asked: list[Requirement]) -> Iterator[Requirement]:
    """What an extra asks for beyond the base, whose name is ""; extras of siffra are resolved."""
    for requirement in asked:
        marker = requirement.marker
        if bool(extra) != (marker is not None and "extra" in str(marker)):
            continue
        if marker is not None and not marker.evaluate({"extra": extra}):
            continue
        if requirement.name == "siffra":
            for inner in sorted(requirement.extras):
                yield from _of_extra(inner, asked)
        else:
            yield requirement


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
