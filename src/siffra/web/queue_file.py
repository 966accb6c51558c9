"""The queue as it is written down beside the store, so that a server that was killed goes on."""

import hashlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from siffra.errors import StoreError
from siffra.system.atomic_write import write_whole
from siffra.web.errors import CODES, Code
from siffra.web.protocol import Task

log = logging.getLogger("siffra.web")

QUEUE = 20
"""Tasks that may wait at a time."""


class Queue(BaseModel):
    """The tasks in their order, and what became of those that failed."""

    model_config = ConfigDict(extra="ignore")

    paused: bool = False
    tasks: list[Task] = []
    failed: dict[str, Code] = {}


def read_queue(path: Path) -> Queue:
    """The queue in the file at `path`; an empty one if there is no file.

    What in it cannot be read is left out, and told; the file as it was is kept beside it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Queue()
    except OSError as error:
        log.error("%s: cannot be read (%s); the queue begins empty.", path, error.strerror)
        return Queue()
    try:
        written = json.loads(content)
    except (ValueError, RecursionError):
        written = None
    if not isinstance(written, dict):
        _keep_aside(path, content, "it is no queue; the queue begins empty")
        return Queue()
    queue = Queue(paused=written.get("paused") is True)
    wrong = [*_take_tasks(queue, written.get("tasks")), *_take_failed(queue, written.get("failed"))]
    if wrong:
        left = f"{len(wrong)} of its entries cannot be read, and were left out"
        _keep_aside(path, content, f"{left} (the first: {wrong[0]})")
    return queue


def _take_tasks(queue: Queue, tasks: object) -> Iterator[str]:
    """Put the tasks into the queue; yields what cannot be put there."""
    for entry in _entries(tasks, list):
        try:
            task = Task.model_validate(entry)
        except ValidationError:
            yield _shown(entry)
            continue
        if task in queue.tasks or len(queue.tasks) == QUEUE:
            yield _shown(entry)
        else:
            queue.tasks.append(task)


def _take_failed(queue: Queue, failed: object) -> Iterator[str]:
    for name, code in _entries(failed, dict):
        if code in CODES:
            queue.failed[name] = code
        else:
            yield _shown({name: code})


def _entries(value: Any, kind: type) -> list[Any]:
    if value is None or isinstance(value, kind):
        return list(value.items() if isinstance(value, dict) else value or [])
    return [("", value)] if kind is dict else [value]


def _shown(entry: object) -> str:
    """An entry for the terminal: short, and in plain characters."""
    text = json.dumps(entry)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _keep_aside(path: Path, content: bytes, why: str) -> None:
    # By its content: read twice, it is kept once, and never takes another one's place.
    name = f"{path.name}.damaged-{hashlib.sha256(content).hexdigest()[:8]}"
    aside = path.with_name(name)
    try:
        write_whole(aside, content, StoreError)
        log.error("%s: %s; the file as it was is kept as %s.", path, why, name)
    except StoreError as error:
        log.error("%s: %s. %s", path, why, error)
