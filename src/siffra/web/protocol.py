"""What server and worker send each other: one JSON object a line, through the worker's pipes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from siffra.lab.execute.events import Event
from siffra.training.run import Epoch
from siffra.web.errors import Code


class _Line(BaseModel):
    # Of a search's tasks, which an event can be about too, none is sent.
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    def line(self) -> bytes:
        """The message as it is sent."""
        return self.model_dump_json().encode() + b"\n"


class Task(_Line):
    """What can wait in the queue: a lab to run, or a run whose network is to be saved."""

    kind: Literal["lab", "model"]
    # A lab's id or a run's key, and nothing else: it becomes a file's name.
    id: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{16}|[0-9a-f]{64})$")]


class Command(_Line):
    """From the server: start a task, or pause, resume or cancel the one in progress."""

    do: Literal["start", "pause", "resume", "cancel"]
    task: Task | None = None


class Message(_Line):
    """From the worker: an event of the task in progress, or, without an event, its end.

    An `epoch` comes with the scores of its run's `earlier` epochs that no message had. A task that
    has ended is done, unless it was `cancelled` or an `error` says why not.
    """

    task: Task
    event: Event | None = None
    earlier: tuple[Epoch, ...] = ()
    cancelled: bool = False
    error: Code | None = None

    def line(self) -> bytes:
        """The message without the results, which are in the store."""
        results = {"event": {"record", "examination", "timing"}}
        return self.model_dump_json(exclude=results).encode() + b"\n"
