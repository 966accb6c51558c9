"""What server and worker say to each other: a JSON object a line, through the worker's pipes."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, StringConstraints

from siffra.training.run import Epoch
from siffra.web.errors import Code


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def line(self) -> bytes:
        """The message as it is sent."""
        return self.model_dump_json().encode() + b"\n"


class Task(_Line):
    """What can wait in the queue: a lab to conduct, or a run whose network is to be kept."""

    kind: Literal["lab", "model"]
    # A lab's id or a run's key, and nothing else: it becomes a file's name.
    id: Annotated[str, StringConstraints(pattern=r"^([0-9a-f]{16}|[0-9a-f]{64})$")]


class Order(_Line):
    """From the server: begin a task, or hold, go on with or stop what is at work."""

    do: Literal["begin", "pause", "resume", "stop"]
    task: Task | None = None


class Told(_Line):
    """From the worker: how far the task at work has come.

    `run` is an index into the plan's runs, and `scores` are those of its epoch `epoch`. A task
    that `ended` was done, unless it was stopped or an `error` tells why not.
    """

    event: Literal["started", "epoch", "run", "waiting", "ended"]
    task: Task
    run: int | None = None
    epoch: int = 0
    scores: Epoch | None = None
    done: int = 0
    total: int = 0
    seconds_left: float = 0.0
    stopped: bool = False
    error: Code | None = None
