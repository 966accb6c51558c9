"""A search's persistent Optuna study, from which a killed search resumes.

Every candidate is a trial whose value is the score of its first round: TPE learns from that. A
finished trial cannot change, but a candidate races on; so its race is an attribute of the study,
and so is the search's progress. Optuna's journal is a file that is only ever appended to, in a
folder of its own; each entry is on the disk before the search continues.
"""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, Self

import optuna
from filelock import FileLock, Timeout
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalStorage
from pydantic import BaseModel, TypeAdapter

from siffra.errors import SearchError
from siffra.search.race import Candidate, Difference, Seconds
from siffra.search.space import Space, quiet_optuna
from siffra.training.test_time_averaging import Averaged

Direction = Literal["maximize", "minimize"]
_NAME = "search"
_FILE, _EARLIER_FILE = "study.log", "journal.jsonl"


class Progress(BaseModel):
    """How far a search is.

    Args:
        spent: Seconds spent when this was stored.
        ended: The `time` of the search that ended, in seconds; 0 if none did.
        is_exhausted: Whether there was nothing more to propose then.
        overheads: Seconds beside training of the finalists' runs.
        averaged: The finalists' runs with predictions averaged over views, by run key.
    """

    spent: Seconds = 0.0
    ended: Seconds = 0.0
    is_exhausted: bool = False
    overheads: list[Difference] = []
    averaged: dict[str, Averaged] = {}


_CANDIDATE = TypeAdapter(Candidate)


class _Held(JournalFileOpenLock):
    """No lock: that of the folder is held, and Optuna's would outlive a killed search."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


class StudyFolder:
    """A folder with one of Optuna's studies, `optuna_study`. Use it as a context manager.

    Raises:
        SearchError: The folder cannot be used, or another process is making the same search.
    """

    def __init__(self, folder: Path, direction: Direction) -> None:
        self.folder = folder
        self.optuna_study: optuna.Study
        self._direction: Direction = direction
        self._path = folder / _FILE
        self._earlier = folder / _EARLIER_FILE
        self._lock = FileLock(folder / "lock")

    def __enter__(self) -> Self:
        with self.usable():
            self.folder.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(blocking=False)
            except Timeout as error:
                raise SearchError(
                    f"{self.folder}: another process is running this search; wait for it, or "
                    "stop it."
                ) from error
            try:
                self._open()
            except BaseException:
                self._lock.release()
                raise
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @contextmanager
    def usable(self) -> Iterator[None]:
        """Has the folder in errors of writing to it."""
        try:
            yield
        except OSError as error:
            raise SearchError(
                f"{self.folder}: cannot be used: {error.strerror or error}."
            ) from error

    def rewrite(self, trials: Iterable[optuna.trial.FrozenTrial], **attributes: object) -> None:
        """Have a study of these trials alone in the place of what is there."""
        # It gets its name when it is complete: a kill must lose no trial.
        part = self._path.with_suffix(".part")
        part.unlink(missing_ok=True)
        study = _open_study(part, self._direction)
        study.add_trials(trials)
        for name, value in attributes.items():
            study.set_user_attr(name, value)
        part.replace(self._path)
        self.optuna_study = _open_study(self._path, self._direction)

    def _open(self) -> None:
        for path in (self.folder, self._path, self._earlier):
            # A link that came with a store may lead to any file, whose end would be cut off.
            if path.is_symlink():
                raise SearchError(f"{path}: is a symbolic link; remove it.")
        try:
            self._prepare()
            _cut_torn_line(self._path)
            self.optuna_study = _open_study(self._path, self._direction)
            self._read()
        except (OSError, SearchError):
            raise
        except Exception as error:  # whatever a damaged file raises in Optuna
            path = self._path if self._path.exists() else self._earlier
            raise SearchError(
                f"{path}: cannot be read; remove it to restart the search."
            ) from error

    def _prepare(self) -> None:
        """What is to be done before the study is opened."""

    def _read(self) -> None:
        """What is to be done once it is open."""


class SearchStudy(StudyFolder):
    """The study of a search for a network, and its `candidates`."""

    def __init__(self, folder: Path, space: Space) -> None:
        super().__init__(folder, "maximize")
        self.candidates: list[Candidate] = []
        self.progress = Progress()
        self._space = space

    def add(self, candidate: Candidate, spent: float) -> None:
        """Store a new candidate."""
        self._store_progress(spent)
        with self.usable():
            self.optuna_study.add_trial(self._trial(candidate))
        self.candidates.append(candidate)

    def save(self, candidate: Candidate, spent: float) -> None:
        """Store what changed of a candidate, and its score once it has finished the first round."""
        # Seconds first: a kill between the two must not give time back.
        self._store_progress(spent)
        with self.usable():
            self.optuna_study.set_user_attr(
                str(candidate.number), _CANDIDATE.dump_python(candidate, mode="json")
            )
            self._tell(candidate)

    def add_overhead(self, overhead: float, spent: float) -> None:
        """Store the overhead of a run that was scored on the test sets."""
        self.progress.overheads.append(overhead)
        self._store_progress(spent)

    def add_average(self, key: str, averaged: Averaged, spent: float) -> None:
        """Store the averages over views of the run with this key."""
        self.progress.averaged[key] = averaged
        self._store_progress(spent)

    def end(self, time: float, spent: float, *, is_exhausted: bool) -> None:
        """Store that the search of so much time has ended."""
        self.progress.ended, self.progress.is_exhausted = time, is_exhausted
        self._store_progress(spent)

    def _prepare(self) -> None:
        if not self._path.exists() and self._earlier.exists():
            self._convert(self._earlier)

    def _read(self) -> None:
        attributes = self.optuna_study.user_attrs
        self.progress = Progress.model_validate(attributes.get("progress", {}))
        for trial in self.optuna_study.get_trials(deepcopy=False):
            latest = attributes.get(str(trial.number), trial.user_attrs["candidate"])
            self.candidates.append(_CANDIDATE.validate_python(latest))
            self._tell(self.candidates[-1])

    def _convert(self, journal: Path) -> None:
        """Make a study of an earlier version's journal, which stays where it is."""
        candidates, progress = _earlier(journal)
        described = progress.model_dump(mode="json")
        self.rewrite(map(self._trial, candidates), progress=described)

    def _trial(self, candidate: Candidate) -> optuna.trial.FrozenTrial:
        attributes = {"candidate": _CANDIDATE.dump_python(candidate, mode="json")}
        return self._space.trial(candidate.parameters, attributes=attributes)

    def _tell(self, candidate: Candidate) -> None:
        """Tell Optuna the score of the first round, once."""
        trial = self.optuna_study.get_trials(deepcopy=False)[candidate.number]
        if candidate.has_run(0) and not trial.state.is_finished():
            self.optuna_study.tell(candidate.number, candidate.score(0))

    def _store_progress(self, spent: float) -> None:
        self.progress.spent = round(spent, 3)
        with self.usable():
            self.optuna_study.set_user_attr("progress", self.progress.model_dump(mode="json"))


def _open_study(path: Path, direction: Direction) -> optuna.Study:
    storage = JournalStorage(JournalFileBackend(str(path), _Held(str(path))))
    with quiet_optuna():
        if _NAME in optuna.get_all_study_names(storage):
            return optuna.load_study(study_name=_NAME, storage=storage)
        return optuna.create_study(study_name=_NAME, storage=storage, direction=direction)


def _cut_torn_line(path: Path) -> None:
    """Cut off a last line that is incomplete, so that the next one starts a new line."""
    if path.exists():
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(path, whole)


def _earlier(journal: Path) -> tuple[list[Candidate], Progress]:
    """Candidates and progress in an earlier version's journal."""
    content = journal.read_bytes()
    candidates: list[dict[str, Any]] = []
    progress: dict[str, Any] = {"overheads": [], "averaged": {}}
    for line in content[: content.rfind(b"\n") + 1].splitlines():
        entry = json.loads(line)
        what, progress["spent"] = entry.pop("what"), entry.pop("spent")
        match what:
            case "candidate":
                candidates.append({**entry, "setting": entry["knobs"], "runs": []})
            case "steps":
                candidates[entry["candidate"]] |= entry
            case "settled":
                candidates[entry["candidate"]]["final_steps"] = entry["steps"]
            case "run":
                candidates[entry["candidate"]]["runs"].append(entry)
            case "final" if entry.get("overhead") is not None:
                progress["overheads"].append(entry["overhead"])
            case "average":
                progress["averaged"][entry["key"]] = entry["averaged"]
            case "end":
                progress |= {"ended": entry["time"], "is_exhausted": entry["exhausted"]}
    return [_CANDIDATE.validate_python(each) for each in candidates], Progress(**progress)
