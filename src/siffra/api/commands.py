"""Questions about a program that somebody else wrote: planned, run, answered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from siffra.api.executors import HERE, RunOptions
from siffra.api.jobs import Job, seconds_or_none
from siffra.api.judging import MetricLike
from siffra.config.durations import spell_seconds
from siffra.config.metrics import Metric, SaidMetric, meant_direction
from siffra.engine.command.child import GRACE, heeded_children
from siffra.engine.command.metrics import MetricSource
from siffra.engine.command.run import CommandSpec
from siffra.engine.command.template import CommandTemplate
from siffra.errors import ConfigError, LabFileError
from siffra.lab.execute.base import Executor
from siffra.lab.execute.commands import CommandExecutor, CommandKeys, CommandRuns, command_work
from siffra.lab.plan.ad_hoc import plan_external, plan_noise
from siffra.lab.plan.labfile import LabFile
from siffra.lab.plan.plan import Plan
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import AS_WRITTEN, LabOptions
from siffra.lab.plan.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOptions:
    """A program, what it reports, and how its runs are made.

    Attributes:
        command: The program with its arguments, as one text, which is split as a shell splits
            words, or a list of words. Every `{name}` is a knob of its own, `{seed}` the seed, and
            `{out}` a folder of the run's own.
        metrics: What is measured, the main one first.
        read: Regular expressions with a group, by which metrics are read from the output; without
            any, they come from its last JSON object, or from `{out}/metrics.json`.
        watch: Files and folders whose content counts, besides the files that the command names:
            what is edited is run anew.
        timeout: Seconds that a run may take.
        gpus: One run at a time on each of these, by `CUDA_VISIBLE_DEVICES`; on a cluster, how many
            each run gets, as `("1",)` or `("0.5",)`.
        running: Where runs are made and stored, and how many at once (None: one, or as many as a
            cluster has room for). Their `threads` are CPUs that a cluster gives each of them.
    """

    command: str | Sequence[str]
    metrics: tuple[Metric, ...]
    read: tuple[str, ...] = ()
    watch: tuple[str, ...] = ()
    timeout: float | None = None
    gpus: tuple[str, ...] = ()
    running: RunOptions = HERE

    def __post_init__(self) -> None:
        expect_metrics(self.metrics)
        expect_no_engine(self.running)
        if self.running.is_cluster:
            _gpus_of_a_run(self.gpus)
        elif self.running.at_once > 1 and self.gpus:
            raise ConfigError(
                "jobs: with gpus, there is one run at a time on each; leave out jobs."
            )

    def spec(self, knobs: Collection[str]) -> CommandSpec:
        """How its runs are made, with these knobs.

        Raises:
            ConfigError: None can be made.
        """
        names = [metric.name for metric in self.metrics]
        spec = CommandSpec(
            template=CommandTemplate.parse(self.command),
            source=MetricSource.parse(names, self.read),
            timeout=self.timeout,
            watch=self.watch,
        )
        spec.check(knobs)
        return spec

    def again(self) -> tuple[str, ...]:
        """The options that say all of this but the command and its metrics."""
        running = self.running
        words = [f"--{name}={text}" for name in ("read", "watch") for text in getattr(self, name)]
        words += [f"--timeout={spell_seconds(self.timeout)}"] if self.timeout else []
        words += [f"--jobs={running.jobs}"] if running.at_once > 1 else []
        words += [f"--gpus={','.join(self.gpus)}"] if self.gpus else []
        if running.is_cluster:
            words += [f"--on={running.on}"]
            words += [f"--threads={running.threads}"] if running.threads else []
            words += ["--alone"] if running.alone else []
        return tuple(words)


def command_options(
    command: str | Sequence[str],
    metric: MetricLike | Sequence[MetricLike],
    running: RunOptions = HERE,
    *,
    margin: float | None = None,
    read: Sequence[str] | None = None,
    watch: Sequence[str] | None = None,
    timeout: str | float | None = None,
    gpus: Sequence[str] | None = None,
) -> CommandOptions:
    """`CommandOptions` from arguments as users give them.

    Raises:
        ConfigError: One of them cannot be used.
    """
    return CommandOptions(
        command=command,
        metrics=metrics_of(metric, margin),
        read=tuple(read or ()),
        watch=tuple(watch or ()),
        timeout=seconds_or_none(timeout, "timeout"),
        gpus=tuple(gpus or ()),
        running=running,
    )


@contextmanager
def command_job(
    levels: Mapping[str, Sequence[Any]],
    fixed: Mapping[str, Any],
    options: LabOptions = AS_WRITTEN,
    *,
    program: CommandOptions,
) -> Iterator[Job]:
    """One question about a program made ready; its store and its executor are open meanwhile.

    Raises:
        SiffraError: The command, a knob or the store cannot be used.
    """
    spec = program.spec({*levels, *fixed})
    plan = plan_external(
        levels, fixed, program.metrics, options, command=spec.template.raw, again=program.again()
    )
    with _job(plan, spec, program) as job:
        yield job


@contextmanager
def noise_job(fixed: Mapping[str, Any], program: CommandOptions, seeds: int) -> Iterator[Job]:
    """Runs of one setting of a program made ready; its store and its executor are open meanwhile.

    Raises:
        SiffraError: The command, a knob or the store cannot be used.
    """
    spec = program.spec(fixed)
    plan = plan_noise(fixed, program.metrics, seeds, command=spec.template.raw)
    with _job(plan, spec, program, is_kept=False) as job:  # there is nothing to report
        yield job


@contextmanager
def lab_of_command(
    file: LabFile,
    program: Program,
    options: LabOptions,
    running: RunOptions,
    *,
    timeout: str | float | None = None,
    gpus: Sequence[str] = (),
) -> Iterator[Job]:
    """The lab of a program made ready; its store and its executor are open meanwhile.

    Args:
        file: The lab file.
        program: What it varies.
        options: What of it is planned.
        running: Where its runs are made and stored, and how many at once.
        timeout: How long a run may take, in the place of what the file says.
        gpus: See `CommandOptions`.

    Raises:
        SiffraError: The command, an option or the store cannot be used.
    """
    metrics = tuple(program.metrics.values())
    typed = command_options(program.command, metrics, running, timeout=timeout, gpus=gpus)
    spec = replace(program.spec, timeout=typed.timeout or program.spec.timeout)
    plan = replace(plan_lab(file, None, options), again=typed.again())
    try:
        spec.check(program.knobs)
    except ConfigError as error:
        raise LabFileError(f"{file.source}: base.{error}") from error
    with _job(plan, spec, typed) as job:
        yield job


@contextmanager
def _job(
    plan: Plan, spec: CommandSpec, program: CommandOptions, *, is_kept: bool = True
) -> Iterator[Job]:
    running, keys = program.running, CommandKeys(spec)
    with (
        heeded_children(),
        running.open_store() as store,
        _executor(spec, keys, program) as executor,
    ):
        work = command_work(keys, executor, plan, store)
        yield Job(plan, work, store, running.fresh, is_kept=is_kept)


def _executor(spec: CommandSpec, keys: CommandKeys, program: CommandOptions) -> Executor:
    """What makes the runs, here or on a cluster, whose machines are sent the key of each."""
    running, runs = program.running, CommandRuns(spec)
    if not running.is_cluster:
        return CommandExecutor(runs, keys, running.at_once, program.gpus)
    return running.on_cluster(
        lambda: runs,
        cpus=running.threads or 1,
        gpus=_gpus_of_a_run(program.gpus),
        order=lambda run: (run, keys.of(run)),
        queued=1,  # what is decided meanwhile need not be run
        grace=GRACE + 3,
    )


def _gpus_of_a_run(gpus: tuple[str, ...]) -> float:
    """How many GPUs a run gets on a cluster, which chooses them.

    Raises:
        ConfigError: That is not what is said.
    """
    if not gpus:
        return 0.0
    try:
        (number,) = map(float, gpus)
    except ValueError:
        number = 0.0
    if not (0 < number < 1 or (number >= 1 and number.is_integer())):
        raise ConfigError(
            f"gpus: found {','.join(gpus)}; a cluster chooses them itself: say how many each run "
            "gets, as 1, or 0.5 if two may share one."
        )
    return number


def expect_no_engine(running: RunOptions) -> None:
    """Check that no option is set that only siffra's own engines have.

    Raises:
        ConfigError: One is.
    """
    for name in ("engine", "threads", "alone"):
        is_ours = name == "engine" or not running.is_cluster
        if is_ours and getattr(running, name) != getattr(HERE, name):
            raise ConfigError(f"{name}: it means nothing to a program; leave it out.")


def expect_none(given: Mapping[str, object], whose: str) -> None:
    """Check that no argument is given that would be ignored: one for another kind of run.

    Raises:
        ConfigError: One is.
    """
    for name, value in given.items():
        is_nothing = value is None or (isinstance(value, (tuple, list)) and not value)
        if not is_nothing:
            raise ConfigError(f"{name}: it is for {whose}; leave it out.")


def expect_metrics(metrics: Sequence[Metric]) -> None:
    """Check that a metric is given, and none twice.

    Raises:
        ConfigError: None is, or one is given twice.
    """
    if not metrics:
        raise ConfigError("metric: found none; say what is measured, as val_loss:lower.")
    names = [metric.name for metric in metrics]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise ConfigError(f"metric {name}: given twice.")


def metrics_of(
    metric: MetricLike | Sequence[MetricLike], margin: float | None = None
) -> tuple[Metric, ...]:
    """Metrics as they are given: `val_loss:lower` as a `Metric`, all with the `margin`.

    Raises:
        ConfigError: It is not said which values of one are better.
    """
    each = [metric] if isinstance(metric, Metric | str) else list(metric)
    metrics = [given if isinstance(given, Metric) else _metric(given) for given in each]
    if margin is None:
        return tuple(metrics)
    return tuple(m if m.margin is not None else replace(m, margin=margin) for m in metrics)


def _metric(text: str) -> Metric:
    said = SaidMetric.parse(text)
    if said.better is None:
        name, _, word = said.name.partition(":")
        meant = meant_direction(word)
        right = (
            f"write {name}:{meant}"
            if meant
            else (f"say which values are better, as {name or 'val_loss'}:lower or :higher")
        )
        raise ConfigError(f"metric: found {text!r}; {right}.")
    return Metric(said.name, said.better, **said.more)
