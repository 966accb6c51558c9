"""What a search has done, line by line, so that one that was killed goes on where it was.

A file of JSON lines in a folder of its own, which is only ever added to: candidates, their runs,
the winner's. Each line is on the disk before the search goes on; a last line that was cut short
is left out when the file is read.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from siffra.config import Setting
from siffra.errors import SearchError
from siffra.search.race import Candidate, Ran
from siffra.views import Averaged


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
            self._read()
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
        if not self._path.exists():
            return
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))
        try:
            for line in whole.decode("utf-8").splitlines():
                self._recall(json.loads(line))
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise SearchError(
                f"{self._path}: cannot be read ({type(error).__name__}); remove it, and the search "
                "begins anew."
            ) from error

    def _recall(self, line: Mapping[str, Any]) -> None:
        self.spent = line["spent"]
        match line["what"]:
            case "candidate":
                self.candidates.append(
                    Candidate(
                        number=line["number"],
                        setting=Setting.from_knobs(line["knobs"]),
                        parameters=line["parameters"],
                        origin=line["origin"],
                        steps=line["steps"],
                        short_steps=line["short_steps"],
                        entering=line.get("entering", 0.0),
                    )
                )
            case "steps":
                candidate = self.candidates[line["candidate"]]
                candidate.steps, candidate.short_steps = line["steps"], line["short_steps"]
            case "settled":
                self.candidates[line["candidate"]].final_steps = line["steps"]
            case "run":
                told = {name: line[name] for name in ("overhead", "scoring") if name in line}
                ran = Ran(line["steps"], line["seed"], line["accuracy"], line["seconds"], **told)
                self.candidates[line["candidate"]].runs.append(ran)
            case "final" if "overhead" in line:
                self.overheads.append(line["overhead"])
            case "average":
                self.averaged[line["key"]] = Averaged(**line["averaged"])
            case "end":
                self.ended, self.is_exhausted = line["time"], line["exhausted"]

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
