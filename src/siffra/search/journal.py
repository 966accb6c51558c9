"""What a search has done, line by line, so that one that was killed goes on where it was.

A file of JSON lines in a folder of its own, which is only ever added to: candidates, their runs,
the winner's. Each line is on the disk before the search goes on; a last line that was cut short
is left out when the file is read. What is read is checked line by line, by the models below.
"""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from filelock import FileLock, Timeout
from pydantic import BaseModel, Field, TypeAdapter

from siffra.config import Setting
from siffra.errors import ConfigError, SearchError
from siffra.search.race import Candidate, Ran
from siffra.training.test_time_averaging import Averaged

_Count = Annotated[int, Field(ge=0)]
_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Difference = Annotated[float, Field(allow_inf_nan=False)]
"""Seconds that are what two clocks differ by, which rounding can take below 0."""
_Accuracies = Annotated[dict[str, Annotated[float, Field(ge=0, le=1)]], Field(min_length=1)]


class _Spent(BaseModel):
    spent: _Seconds


class _CandidateLine(_Spent):
    what: Literal["candidate"]
    number: _Count
    knobs: dict[str, Any]
    parameters: dict[str, Any]
    origin: str
    steps: _Count
    short_steps: _Count
    entering: _Difference = 0.0


class _StepsLine(_Spent):
    what: Literal["steps"]
    candidate: _Count
    steps: _Count
    short_steps: _Count


class _SettledLine(_Spent):
    what: Literal["settled"]
    candidate: _Count
    steps: _Count


class _RunLine(_Spent):
    what: Literal["run"]
    candidate: _Count
    steps: _Count
    seed: _Count
    accuracy: _Accuracies
    seconds: _Seconds
    overhead: _Difference = 0.0
    scoring: _Difference = 0.0


class _FinalLine(_Spent):
    what: Literal["final"]
    overhead: _Difference | None = None


class _AverageLine(_Spent):
    what: Literal["average"]
    key: str
    averaged: Averaged


class _EndLine(_Spent):
    what: Literal["end"]
    time: _Seconds
    exhausted: bool


_Line = _CandidateLine | _StepsLine | _SettledLine | _RunLine | _FinalLine | _AverageLine | _EndLine
_LINE: TypeAdapter[_Line] = TypeAdapter(Annotated[_Line, Field(discriminator="what")])


class Journal:
    """The journal in `folder`, and the candidates that it tells of. Use it as a context manager.

    `spent` are the seconds that the search had taken when the last line was written. `averaged`
    has, by run key, what the finalists' runs come to on averages over views, and `overheads` the
    seconds that those runs took beside their training. The search has `ended` that was to take so
    many seconds, 0 for none; `is_exhausted` tells whether there was nothing more to propose.

    Raises:
        SearchError: The folder cannot be used, or another process is making the same search.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.candidates: list[Candidate] = []
        self.averaged: dict[str, Averaged] = {}
        self.overheads: list[float] = []
        self.spent = self.ended = 0.0
        self.is_exhausted = False
        self._path = folder / "journal.jsonl"
        self._lock = FileLock(folder / "lock")

    def __enter__(self) -> "Journal":
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
            try:
                self._read()
            except BaseException:
                self._lock.release()
                raise
        except Timeout as error:
            raise SearchError(
                f"{self.folder}: another process is making this search; wait for it, or stop it."
            ) from error
        except OSError as error:
            raise self._unusable(error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def add_candidate(self, candidate: Candidate, spent: float) -> None:
        """A candidate, with the numbers of steps that were found to fit."""
        self._write(
            "candidate",
            spent,
            number=candidate.number,
            knobs=candidate.setting.knobs(),
            parameters=dict(candidate.parameters),
            origin=candidate.origin,
            steps=candidate.steps,
            short_steps=candidate.short_steps,
            entering=candidate.entering,
        )
        self.candidates.append(candidate)

    def correct_steps(
        self, candidate: Candidate, steps: int, short_steps: int, spent: float
    ) -> None:
        """Other numbers of steps for the whole budget and the short round: it is timed better."""
        self._write(
            "steps", spent, candidate=candidate.number, steps=steps, short_steps=short_steps
        )
        candidate.steps, candidate.short_steps = steps, short_steps

    def settle_steps(self, candidate: Candidate, steps: int, spent: float) -> None:
        """The number of steps that it trains for on the test sets."""
        self._write("settled", spent, candidate=candidate.number, steps=steps)
        candidate.final_steps = steps

    def add_run(self, candidate: Candidate, ran: Ran, spent: float) -> None:
        """A run of the race."""
        self._write(
            "run", spent, candidate=candidate.number, steps=ran.steps, seed=ran.seed,
            accuracy=dict(ran.accuracy), seconds=ran.seconds, overhead=ran.overhead,
            scoring=ran.scoring,
        )  # fmt: skip
        candidate.runs.append(ran)

    def add_final(self, candidate: Candidate, seed: int, overhead: float, spent: float) -> None:
        """A run that was scored on the test sets; its record is in the store."""
        self._write("final", spent, candidate=candidate.number, seed=seed, overhead=overhead)
        self.overheads.append(overhead)

    def add_average(self, key: str, averaged: Averaged, spent: float) -> None:
        """What the finalist's run with this key comes to on averages over views."""
        self._write("average", spent, key=key, averaged=asdict(averaged))
        self.averaged[key] = averaged

    def add_end(self, time: float, spent: float, *, is_exhausted: bool) -> None:
        """The search that was to take so much time is at its end."""
        self._write("end", spent, time=time, exhausted=is_exhausted)
        self.ended, self.is_exhausted = time, is_exhausted

    def _read(self) -> None:
        # A link that came with a store may lead to any file, of which the end would be cut.
        if self.folder.is_symlink() or self._path.is_symlink():
            raise SearchError(f"{self._path}: is a link, or in one; remove it.")
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                self._recall(_LINE.validate_json(line))
            except (ValueError, LookupError, ConfigError) as error:
                raise SearchError(
                    f"{self._path}: line {number} cannot be read; remove it, and the search "
                    "begins anew."
                ) from error
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))

    def _recall(self, line: "_Line") -> None:
        self.spent = line.spent
        match line:
            case _CandidateLine():
                if line.number != len(self.candidates):
                    raise LookupError(line.number)
                candidate = Candidate(
                    number=line.number,
                    setting=Setting.from_knobs(line.knobs),
                    parameters=line.parameters,
                    origin=line.origin,
                    steps=line.steps,
                    short_steps=line.short_steps,
                    entering=line.entering,
                )
                self.candidates.append(candidate)
            case _StepsLine():
                candidate = self.candidates[line.candidate]
                candidate.steps, candidate.short_steps = line.steps, line.short_steps
            case _SettledLine():
                self.candidates[line.candidate].final_steps = line.steps
            case _RunLine():
                ran = Ran(
                    line.steps, line.seed, line.accuracy, line.seconds, line.overhead, line.scoring
                )
                self.candidates[line.candidate].runs.append(ran)
            case _FinalLine():
                if line.overhead is not None:
                    self.overheads.append(line.overhead)
            case _AverageLine():
                self.averaged[line.key] = line.averaged
            case _EndLine():
                self.ended, self.is_exhausted = line.time, line.exhausted

    def _write(self, what: str, spent: float, **told: Any) -> None:
        self.spent = spent
        line = json.dumps({"what": what, **told, "spent": round(spent, 3)}) + "\n"
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise self._unusable(error) from error

    def _unusable(self, error: OSError) -> SearchError:
        return SearchError(f"{self.folder}: cannot be used: {error.strerror or error}.")
