"""Records of trainings that siffra did not do itself."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from siffra.config import Setting
from siffra.config.metrics import judged
from siffra.engine.command.metrics import ExternalResult
from siffra.training.run import Machine, Record, digest_of

EXTERNAL_VERSION = 1
"""Raised whenever equal commands come to be another run; part of their keys."""

NO_MACHINE = Machine(cpu="", cores=0, threads=0, system="", versions={})
"""Of runs of which it is not known where they were made."""


def external_key(kind: str, identity: Mapping[str, object]) -> str:
    """SHA-256 (hex) of what makes a run the run it is, as canonical JSON."""
    return digest_of({"engine": kind, "engine_version": EXTERNAL_VERSION, **identity})


def external_record(
    key: str,
    setting: Setting,
    seed: int,
    result: ExternalResult,
    *,
    main: str,
    kind: str = "",
    machine: Machine = NO_MACHINE,
) -> Record:
    """The record of a training by what it gave; it diverged if the `main` metric is not finite."""
    return Record(
        key=key,
        model=setting.model,
        training=setting.training,
        seed=seed,
        dataset="",
        fingerprint="",
        engine=kind,
        engine_version=EXTERNAL_VERSION,
        parameters=0,
        epochs=(),
        accuracy={},
        confusion={},
        seconds=result.seconds,
        compile_seconds=0.0,
        scoring_seconds=0.0,
        machine=machine,
        finished=datetime.now(UTC),
        **_measured(result, main),
    )


def given_record(
    blank: Record, key: str, seed: int, result: ExternalResult, *, main: str
) -> Record:
    """A run like `blank`, an external record, but for its seed and what it gave.

    It is not checked again, which takes most of the time where there are many.
    """
    return blank.model_copy(update={"key": key, "seed": seed, **_measured(result, main)})


def _measured(result: ExternalResult, main: str) -> dict[str, Any]:
    """The fields of a record that say what a training gave."""
    values = {name: judged(value) for name, value in result.metrics.items()}
    value = values.get(main)
    failure = result.failure or ("no value" if value is None else "")
    return {
        "diverged": not failure and value is not None and not math.isfinite(value),
        "metrics": {}
        if failure
        else {name: v if math.isfinite(v) else None for name, v in values.items()},
        "curves": {
            name: tuple((float(x), float(y)) for x, y in curve if math.isfinite(x + y))
            for name, curve in result.curves.items()
        },
        "steps": {} if failure else dict(result.steps),
        "failure": failure,
        "output": result.output if failure else (),
    }
