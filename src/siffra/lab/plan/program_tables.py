"""What a lab file says of a program: its command, how that is run, and what is measured of it."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from siffra.config.metrics import Better, Metric, Scale
from siffra.config.validation import Frozen, shown
from siffra.engine.command.metrics import MetricSource
from siffra.engine.command.run import CommandSpec
from siffra.engine.command.template import CommandTemplate
from siffra.errors import ConfigError
from siffra.lab.plan.keys import ARRAY, Duration, Positive, Table
from siffra.lab.plan.program import Program

_NEEDS_MARGIN = ("same", "not better", "not worse")
_EXAMPLE = '["python", "train.py", "--seed", "{seed}"]'


class MetricTable(Table):
    """A metric as it is written; `siffra.config.metrics.Metric` says what the keys mean."""

    better: Better
    margin: Positive | None = None
    unit: str = ""
    scale: Scale = "difference"
    step: Annotated[float, Field(ge=0)] = 0.0


class RunningTable(Table):
    """How a command is run; `siffra.engine.command.run.CommandSpec` says what the keys mean."""

    read: Annotated[tuple[str, ...], ARRAY] = ()
    watch: Annotated[tuple[str, ...], ARRAY] = ()
    timeout: Duration | None = None


Metrics = dict[Annotated[str, Field(min_length=1, max_length=100)], MetricTable]


class _ProgramTables(Frozen):
    """The tables of a lab file that only a program has."""

    model_config = ConfigDict(extra="ignore")

    metrics: Metrics = Field(default_factory=dict)
    command: RunningTable = RunningTable()


def read_program(tables: Mapping[str, object], folder: Path) -> Program | None:
    """The program of a lab file in `folder`, where it runs; None if the lab has none.

    Nothing is run.

    Raises:
        ConfigError: It cannot be run like that, or the lab says of a program what it has not.
        pydantic.ValidationError: A key of its tables is wrong.
    """
    base = tables.get("base")
    if not isinstance(base, dict) or "command" not in base:
        _expect_no_program(tables)
        return None
    checked = _ProgramTables.model_validate(dict(tables))
    if not checked.metrics:
        raise ConfigError(
            "metrics: found none; say what the command measures, as `[metrics.val_loss]` with "
            '`better = "lower"`.'
        )
    template = _template(base["command"])
    try:
        source = MetricSource.parse(list(checked.metrics), checked.command.read)
    except ConfigError as error:
        raise ConfigError(f"command.{error}") from error
    spec = CommandSpec(
        template=template,
        source=source,
        cwd=folder.absolute(),
        timeout=checked.command.timeout,
        watch=checked.command.watch,
    )
    named = {name: Metric(name, **dict(table)) for name, table in checked.metrics.items()}
    return Program(spec, named)


def refuse_of_networks(given: Collection[str], presets: Mapping[str, Collection[str]]) -> None:
    """Check that a lab of a program says nothing that only siffra's networks have.

    Args:
        given: The keys of the file.
        presets: The keys of each preset's table.

    Raises:
        ConfigError: It does; the text begins with the key.
    """
    for key, why in (("data", "reads its own data"), ("shifts", "has test sets of its own")):
        if key in given:
            raise ConfigError(f"{key}: a command {why}; leave it out.")
    for name, keys in presets.items():
        for key in keys:
            if key in ("epochs", "recipes"):
                raise ConfigError(
                    f"presets.{name}.{key}: it means nothing to a command; a preset has `time` or "
                    "`seeds` here."
                )


def check_claim(
    metric: Metric, given: Collection[str], against: object, direction: str, margin: float | None
) -> None:
    """Check that a claim about a program says nothing that its `metric` does not allow.

    Args:
        metric: What it is about.
        given: The keys that it has.
        against: What the level is compared with: a number, or levels.
        direction: What is claimed.
        margin: Its own margin.

    Raises:
        ValueError: It does.
    """
    for key, why in (
        ("on", "it has no sets"),
        ("target", "it is about the end of a run"),
        ("epochs", "how long a command trains is a matter of its own knobs"),
    ):
        if key in given:
            raise ValueError(f"metric `{metric.name}` has no `{key}`: {why}")
    if metric.is_ratio and isinstance(against, int | float) and against <= 0:
        raise ValueError(
            f"`against` is {against:g}; for metric `{metric.name}`, compared as a ratio, it must "
            "be above 0"
        )
    if direction in _NEEDS_MARGIN and margin is None and metric.margin is None:
        raise ValueError(
            f"direction `{direction}` needs a `margin`, the smallest difference that matters; give "
            f"it here or in `[metrics.{metric.name}]`"
        )


def _expect_no_program(tables: Mapping[str, object]) -> None:
    if isinstance(tables.get("command"), str | list):
        raise ConfigError(f"command: write it below `[base]`, as command = {_EXAMPLE}.")
    for key, why in (
        ("metrics", "siffra's own networks are measured by accuracy, seconds and the like"),
        ("command", "it says how a command is run"),
    ):
        if key in tables:
            raise ConfigError(
                f"{key}: {why}; leave it out, or give `[base]` the `command` of a program."
            )


def _template(command: Any) -> CommandTemplate:
    words = command if isinstance(command, list) else [command]
    if not all(isinstance(word, str) for word in words):
        raise ConfigError(
            f"base.command: found {shown(command)}; it must be one text, or a list of texts, as "
            f"{_EXAMPLE}."
        )
    try:
        return CommandTemplate.parse(command)
    except ConfigError as error:
        raise ConfigError(f"base.{error}") from error
