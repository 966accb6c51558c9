"""Tables of finished runs that the page is given: each judged by a process of its own.

Anybody may have made a table, so whatever reads one may be made to run out of time or memory, or to
end. That process may use only so much of both, and nothing of the table is left when it has ended.

`python -m siffra.web.judging LANGUAGE`, in the table's folder, with the question on stdin.
"""

import asyncio
import json
import logging
import re
import sys
import tempfile
import traceback
from asyncio.subprocess import PIPE
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from siffra.api import judge
from siffra.config.validation import Frozen
from siffra.errors import SiffraError
from siffra.report.build import build
from siffra.report.model import Report
from siffra.report.text.messages import Words
from siffra.results import RoleOptions, RunTable, find_roles, read_results
from siffra.system.atomic_write import part_folder
from siffra.system.terminal import one_line, printable
from siffra.web.base64_fields import Base64, decoded
from siffra.web.curves import curves_of
from siffra.web.errors import ApiError, Code
from siffra.web.pages import page_words
from siffra.web.worker_process import how_it_ended

try:
    import resource
except ImportError:  # Windows: there only the time is limited
    resource = None

log = logging.getLogger("siffra.web")

TABLE = 16 * 2**20
"""The most bytes of a table's file."""
SECONDS = 30.0
"""How long judging one may take."""
MEMORY = 2 * 2**30
"""How many bytes it may take, beside what siffra itself needs."""
JUDGE = ("-P", "-m", "siffra.web.judging")

_LONGEST = 8 * 2**20
"""The most bytes of an answer: a page that draws more runs than this has stands still."""
_LONGEST_WHY = 1000
_ANSWER = ".answer"  # no file of the user's is called so
_STATM = Path("/proc/self/statm")
_NOT_PLAIN = re.compile(r"[^\w.+()-]")
_NO_TABLE = (
    b"SQLite format 3\0", b"\x89PNG", b"\xff\xd8\xff", b"%PDF",
    b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ",  # unpacked they may have any size
)  # fmt: skip
"""How files begin that are not even opened: neither text nor Parquet."""

_Column = Annotated[str, StringConstraints(max_length=10_000)]
_Value = bool | int | float | str | None


class Question(Frozen):
    """What its user says of a table; the rest is worked out."""

    file: str = ""
    """What the table's file is called."""
    by: list[_Column] = Field(default_factory=list, max_length=100)
    """The columns whose values are compared."""
    seed: _Column | None = None
    """The column of seeds; `none` if there is none."""
    metric: _Column | None = None
    """The column of what is judged."""
    better: Literal["higher", "lower"] | None = None
    """Which of its values are better."""
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    """The smallest difference that matters."""
    where: list[_Column] = Field(default_factory=list, max_length=100)
    """Conditions on rows, as `model = conv`, all of which must hold."""
    pair_by: list[_Column] = Field(default_factory=list, max_length=100)
    """The columns whose values pair runs of two levels, in place of the seed."""
    baseline: dict[_Column, _Value] = Field(default_factory=dict, max_length=100)
    """Values of the level that all others are compared with."""

    @model_validator(mode="after")
    def _is_better_in_something(self) -> Self:
        if self.better and self.metric is None:
            raise ValueError("better: of which metric?")
        return self

    @property
    def roles(self) -> RoleOptions:
        """What it says of the columns."""
        metric = f"{self.metric}:{self.better}" if self.better else self.metric
        return RoleOptions(
            by=tuple(self.by),
            seed=self.seed,
            metrics=() if metric is None else (metric,),
            where=tuple(self.where),
            pair_by=tuple(self.pair_by),
        )


class TableFile(Frozen):
    """A table of finished runs, with what is said of it."""

    table: Base64
    question: Question = Question()


class JudgedPage(Report):
    """A table's report as the page shows it, with what its form needs to ask otherwise."""

    rows: int
    """How many runs the table has."""
    columns: tuple[str, ...]
    """The columns that vary, which may be knobs, the seed or metrics."""
    seed: str | None
    """The column of seeds; null if there is none."""
    pair_by: tuple[str, ...]
    """The columns that runs of two levels are paired by."""
    curves: dict[str, Any]
    """Those of its question, as the page draws them."""


async def judged(file: TableFile, words: Words) -> bytes:
    """The `JudgedPage` of a table, as JSON; or its `error` with `why`, and the table's `columns`.

    Raises:
        ApiError: It is too large, or no such file.
    """
    content = await asyncio.to_thread(decoded, file.table, TABLE)
    question = file.question.model_copy(update={"file": file_name(file.question.file)})
    if content.startswith(_NO_TABLE):
        return _refusal("bad_table", words("ui.judge.no_table", file=question.file))
    with part_folder(Path(tempfile.gettempdir())) as folder:
        await asyncio.to_thread((folder / question.file).write_bytes, content)
        return await _judged_in(folder, question, words.language)


def file_name(named: str) -> str:
    """What messages call a file that is called `named`: nothing in it is a path or an option."""
    return _NOT_PLAIN.sub("_", named)[-60:].lstrip(".-") or "table"


async def _judged_in(folder: Path, question: Question, language: str) -> bytes:
    with (folder / _ANSWER).open("wb") as answer:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, *JUDGE, language), stdin=PIPE, stdout=answer, stderr=PIPE, cwd=folder
        )
    try:
        asked = question.model_dump_json().encode()
        _, complaints = await asyncio.wait_for(process.communicate(asked), SECONDS)
    except TimeoutError:
        return _refusal("too_much")
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if not process.returncode:
        return await asyncio.to_thread((folder / _ANSWER).read_bytes)
    if process.returncode < 0:  # a reader that is no Python ends so where memory ran out
        log.error("the process that judged a table ended %s.", how_it_ended(process.returncode))
        return _refusal("too_much")
    log.error("%s", printable(complaints.decode(errors="replace"))[-5000:])
    raise ApiError("server")


def _refusal(code: Code, why: str = "", **about: object) -> bytes:
    """What cannot be judged is no failure of the page: its user is told, and says more of it."""
    return json.dumps(ApiError(code, why[:_LONGEST_WHY], about).body).encode()


def main() -> None:
    """Judge the table that the question on stdin names, and print the answer."""
    _limit_memory()
    try:
        answer = _answer(Question.model_validate_json(sys.stdin.buffer.read()), sys.argv[1])
    except MemoryError:
        answer = _refusal("too_much")
    except Exception:  # a fault of ours, which the server logs
        traceback.print_exc()
        sys.exit(1)
    sys.stdout.buffer.write(answer if len(answer) <= _LONGEST else _refusal("too_much"))


def _answer(question: Question, language: str) -> bytes:
    table = None
    try:
        table = read_results(question.file)
        return _page(table, question, language).model_dump_json().encode()
    except SiffraError as error:
        about = {"rows": len(table), "columns": varying(table)} if table is not None else {}
        about |= {} if language in error.texts else {"lang": "en"}
        return _refusal("bad_table", one_line(error.text(language)), **about)


def _page(table: RunTable, question: Question, language: str) -> JudgedPage:
    said = question.roles
    result = judge(
        table,
        by=said.by,
        seed=said.seed,
        metric=said.metrics,
        margin=question.margin,
        where=said.where,
        pair_by=said.pair_by,
        baseline=question.baseline,
        language=language,
    )
    roles = find_roles(table, said)
    words = page_words(language)
    report = build(result.answers, words)
    return JudgedPage.model_validate(
        {
            **dict(report),
            "rows": len(roles.table),
            "columns": varying(table),
            "seed": roles.seed,
            "pair_by": roles.pair_by,
            "curves": curves_of(result.answers.questions[0], words),
        }
    )


def varying(table: RunTable) -> list[str]:
    """The columns that do not have the same cell in every row."""
    return [name for name, cells in table.columns.items() if any(c != cells[0] for c in cells)]


def _limit_memory() -> None:
    """Have this process run out of memory before the machine does, where the system can."""
    if resource and _STATM.exists():
        used = int(_STATM.read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
