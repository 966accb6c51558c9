"""One run of a command: from its knobs and a seed to what it measured, or how it failed."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from siffra.engine.command.metrics import (
    METRICS_FILE,
    ExternalResult,
    MetricReader,
    MetricSource,
    OnEpoch,
)
from siffra.engine.command.process import Finished, run_command
from siffra.engine.command.template import CommandTemplate, KnobValue
from siffra.engine.command.watched import content_digest, watched_files
from siffra.errors import ConfigError

_NOWHERE = "/dev/null"
"""In place of a run's folder: what is in there is no part of what is run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """How the runs of a command are made, whatever their knobs.

    Attributes:
        template: The command.
        source: What it reports, and where.
        cwd: Where it runs.
        timeout: Seconds that a run may take.
        watch: Files and folders whose content counts, besides the files that the command names.
    """

    template: CommandTemplate
    source: MetricSource
    cwd: Path = field(default_factory=Path.cwd)
    timeout: float | None = None
    watch: tuple[str, ...] = ()

    def check(self, knobs: Collection[str]) -> None:
        """Raises ConfigError if no run with these knobs can be made."""
        self.template.check_knobs(knobs)
        if not self.cwd.is_dir():
            raise ConfigError(f"command: found no folder {self.cwd} to run in.")
        self.template.check_program(self.cwd)

    def identity(self, knobs: Mapping[str, KnobValue], seed: int) -> dict[str, object]:
        """What makes a run the run it is, as JSON has it; what to hash for its key.

        Equal ones mean the same result, as far as the files tell that are watched: see
        `watched_files`. The folder of the run, its variables and its timeout are no part of it.

        Raises:
            ConfigError: The knobs are not those of the command, or a watched file is missing,
                too large or cannot be read.
        """
        return {
            "command": list(self.template.raw),
            "read": self.source.patterns.texts,
            "knobs": dict(knobs),
            "seed": seed,
            "files": content_digest(self.files(knobs, seed)),
        }

    def latest_file(self, knobs: Mapping[str, KnobValue], seed: int) -> str:
        """Which of the files whose content counts was changed last."""
        files = self.files(knobs, seed)
        return max(files, key=lambda name: files[name].stat().st_mtime_ns, default="")

    def files(self, knobs: Mapping[str, KnobValue], seed: int) -> dict[str, Path]:
        """Those whose content counts, by the names that they were given."""
        words = self.template.words(knobs, seed, out=_NOWHERE)
        return watched_files(words, self.watch, self.cwd)


def run_once(
    spec: CommandSpec,
    knobs: Mapping[str, KnobValue],
    *,
    seed: int,
    out: Path,
    env: Mapping[str, str] | None = None,
    on_epoch: OnEpoch | None = None,
    stop: Event | None = None,
) -> ExternalResult:
    """Make one run. One that fails, hangs or reports no metric is a result, too.

    Args:
        spec: What is run.
        knobs: Values of the command's knobs.
        seed: Put in for `{seed}`.
        out: A folder of the run's own; if the command names it, it is made, and an earlier
            `metrics.json` in it is removed.
        env: Further variables, such as `CUDA_VISIBLE_DEVICES`.
        on_epoch: Called with each epoch, or step, and the values printed with it.
        stop: Ends it, once another thread sets it.

    Raises:
        ConfigError: The knobs are not those of the command, or it cannot be started.
    """
    out = out.absolute()
    words = spec.template.words(knobs, seed, out)
    if spec.template.uses_out:
        out.mkdir(parents=True, exist_ok=True)
        (out / METRICS_FILE).unlink(missing_ok=True)
    reader = MetricReader(spec.source, on_epoch)
    finished = run_command(
        words, cwd=spec.cwd, env=env, timeout=spec.timeout, on_line=reader.read, stop=stop
    )
    if spec.template.uses_out:
        reader.read_file(out / METRICS_FILE)
    measured = reader.measured()
    return replace(
        measured,
        seconds=finished.seconds,
        failure=_failure(finished) or measured.failure,
        output=finished.tail,
    )


def _failure(finished: Finished) -> str:
    if finished.timed_out:
        return "timeout"
    if finished.exit_status < 0:
        return f"signal {-finished.exit_status}"
    return f"exit {finished.exit_status}" if finished.exit_status else ""
