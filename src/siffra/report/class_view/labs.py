"""The labs of a class: from their reports, as one of a folder's files or of a store's labs each."""

import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from siffra.errors import SiffraError
from siffra.lab.plan.texts import safe_name
from siffra.report.differences import levels_of, meanings
from siffra.report.model import NAME, SCHEMA_VERSION, Question, Report, read_report
from siffra.report.model.claims import Claim
from siffra.report.model.measured import Level
from siffra.report.text.messages import Words
from siffra.system.terminal import one_line

VIEW = "class.json"
"""What a class view is called that was written before; it is none of its labs."""
MOST_BYTES = 64 * 1024 * 1024
"""Of a file; a report with 67 claims has less than one."""
_PARTS = {Path(NAME).stem, "siffra-report"}
"""What every student's folder may have in it, so that it names nobody."""


@dataclass(frozen=True, slots=True)
class LabClaim:
    """A claim as one lab has it.

    `meaning` is the same for claims about the same, `epochs` are the lengths that its levels were
    trained for, `runs` the keys of what it rests on. `question` has its levels' knobs alone.
    """

    claim: Claim
    question: Question
    meaning: str
    epochs: tuple[float, ...]
    runs: frozenset[str]


@dataclass(frozen=True, slots=True)
class ClassLab:
    """A lab of a class: its report without what a class view does not show, and its claims.

    `name` is whose it is, `place` where it is from, and `link` leads to the report ("": nowhere).
    """

    name: str
    place: str
    link: str
    report: Report
    claims: tuple[LabClaim, ...]
    runs: frozenset[str]

    def link_to(self, question: str) -> str:
        """The address of a question's answer."""
        if self.link.startswith("#/"):  # a view of `siffra ui`
            return f"{self.link}?question={quote(question)}"
        is_page = self.link.endswith(".html")
        return f"{self.link}#{safe_name(f'question-{question}')}" if is_page else self.link


def class_lab(report: Report, place: str, link: str = "") -> ClassLab:
    """The lab that `report` is of; one without an author is called what its `place` is called."""
    claims = tuple(
        claim for question in report.questions for claim in _lab_claims(question, report)
    )
    parts = [*(level for q in report.questions for level in q.levels), *report.experiments]
    keys = frozenset(key for part in parts for key in part.keys)
    facts = report.model_copy(update={"questions": (), "experiments": ()})
    name = " ".join(report.author.split()) or place
    return ClassLab(one_line(name), one_line(place), link, facts, claims, keys)


def read_class(folder: Path, out: Path, words: Words) -> tuple[list[ClassLab], list[str]]:
    """The labs of the reports in `folder` and the folders in it, by name, and what is to be noted.

    A report is any file that ends in `.json`; one that is none, or is there twice, is noted in a
    line. Links lead from the folder `out`.

    Raises:
        SiffraError: There is no such folder, or no report in it.
    """
    if not folder.is_dir():
        raise SiffraError(
            f"{folder}: no such folder; name one that has a folder, or a {NAME}, for each lab."
        )
    labs, notes, known = [], [], dict[str, str]()
    for path in _files(folder):
        try:
            digest = _digest(path)
            if digest in known:
                notes.append(
                    words("class.same_file", path=one_line(str(path)), other=known[digest])
                )
                continue
            report = read_report(path)
        except SiffraError as error:
            notes.append(one_line(str(error)))
            continue
        known[digest] = one_line(str(path))
        if report.schema_version < SCHEMA_VERSION:
            version = report.schema_version
            notes.append(words("class.older", path=one_line(str(path)), version=version))
        labs.append(class_lab(report, _place(path, folder), _link(path, out)))
    if not labs:
        reason = f"; {notes[0]}" if notes else "."
        raise SiffraError(f"{folder}: no report ({NAME}) in it, nor in the folders in it{reason}")
    return told_apart(labs, words, notes), notes


def told_apart(labs: Iterable[ClassLab], words: Words, notes: list[str]) -> list[ClassLab]:
    """The labs by name; where several have one, their places are added, and that is noted."""
    by_name: dict[str, list[ClassLab]] = defaultdict(list)
    for lab in sorted(labs, key=lambda lab: (lab.name.casefold(), lab.place)):
        by_name[lab.name.casefold()].append(lab)
    result = []
    for same in by_name.values():
        if len(same) == 1:
            result += same
            continue
        places = words.listing(lab.place for lab in same)
        notes.append(words("class.author_twice", name=same[0].name, n=len(same), places=places))
        result += [replace(lab, name=f"{lab.name} ({lab.place})") for lab in same]
    return result


def _files(folder: Path) -> Iterator[Path]:
    """The JSON files in `folder`, in the order of their paths; hidden folders are left alone."""
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.endswith(".json") and name != VIEW and not name.startswith("."):
                yield Path(at, name)


def _digest(path: Path) -> str:
    """Of the file's content.

    Raises:
        SiffraError: It cannot be read, or is larger than any report.
    """
    try:
        if not path.is_file():
            raise SiffraError(f"{path}: is no file.")
        if (size := path.stat().st_size) > MOST_BYTES:
            raise SiffraError(f"{path}: too large for a report: {size:,} bytes.")
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise SiffraError(f"{path}: cannot be read: {error.strerror or error}.") from error


def _place(path: Path, folder: Path) -> str:
    """`anna`, of anna.json, anna/results.json or anna/siffra-report/results.json."""
    parts = list(path.relative_to(folder).with_suffix("").parts)
    while len(parts) > 1 and parts[-1] in _PARTS:
        parts.pop()
    return "/".join(parts)


def _link(path: Path, out: Path) -> str:
    """From `out` to the page beside a report's results; to the results where there is none."""
    page = path.with_name("report.html")
    target = page if path.name == NAME and page.is_file() else path
    return quote(os.fsencode(os.path.relpath(target, out)))


def _lab_claims(question: Question, report: Report) -> Iterator[LabClaim]:
    bare = tuple(
        Level.model_construct({"knobs", "settings"}, knobs=level.knobs, settings=level.settings)
        for level in question.levels
    )
    update = {"levels": bare, "claims": (), "figures": (), "added": None, "interactions": ()}
    slim = question.model_copy(update=update)
    for claim, meaning in zip(question.claims, meanings(question), strict=True):
        levels = [question.levels[i] for i in levels_of(claim) if i < len(question.levels)]
        yield LabClaim(
            claim=claim.model_copy(update={"values": ()}),
            question=slim,
            meaning=meaning,
            epochs=_epochs(levels, question, report),
            runs=frozenset(key for level in levels for key in level.keys),
        )


def _epochs(levels: Sequence[Level], question: Question, report: Report) -> tuple[float, ...]:
    """The lengths that the levels were trained for, as far as is known."""
    lengths = {setting.get("epochs") for level in levels for setting in level.settings}
    if not lengths:  # a report by a siffra that did not write settings
        lengths = {question.fixed.get("epochs", report.epochs)}
    return tuple(sorted(float(n) for n in lengths if isinstance(n, int | float)))


def plain(text: str) -> str:
    """`text` as it is compared with others: small letters, and single spaces for all else."""
    return re.sub(r"\W+", " ", text.casefold()).strip()
