"""Writes recipes: a setting with what was measured of it, for `siffra.config.recipes` to read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from siffra.config import Setting
from siffra.config.recipes import Interval, Measured, MeasuredAverage
from siffra.config.toml_text import toml_value
from siffra.engine.schedule import steps_per_epoch, total_steps
from siffra.lab.stats.summaries import Summary, summarise
from siffra.search.result import Average
from siffra.training.run import Record
from siffra.training.scores import known
from siffra.training.test_time_averaging import VIEWS

_FOLLOWING = ("warmup", "augment_move", "augment_rotate", "augment_clean", "augment_jitter")
"""Knobs with a default that follows from others."""


def recipe_text(
    name: str, budget: float | None, setting: Setting, images: int, measured: Measured | None
) -> str:
    """A recipe as TOML, with what was measured of it.

    `images` were trained on in each epoch.
    """
    steps = total_steps(setting.training, images)
    batch = setting.training.batch_size
    lines = [
        f"# {name}: {steps} steps of {batch} images, where there are {images:,} to train on.",
        "# What was measured is written by siffra; the knobs alone are the recipe.",
        "",
        *([f"budget = {toml_value(budget)}", ""] if budget else []),
        "[knobs]",
        *(f"{knob} = {toml_value(value)}" for knob, value in _recipe_knobs(setting).items()),
    ]
    if measured:
        lines += _tables("measured", measured.model_dump(exclude_none=True))
    return "\n".join(lines) + "\n"


def measured_in(
    records: Sequence[Record], images: int, average: Average | None = None
) -> Measured | None:
    """What the `records` of a setting, one a seed, tell of it; None if there are none.

    `images` were trained on in each epoch; `average` is what the same networks do on averages
    over views.
    """
    if not records:
        return None
    first = records[0]
    seconds = summarise([record.seconds for record in records], "ratio")
    training = first.training
    whole, rest = divmod(total_steps(training, images), steps_per_epoch(training, images))
    used = whole * images + min(rest * training.batch_size, images)
    return Measured(
        machine=first.machine.cpu,
        threads=first.machine.threads,
        engine=f"{first.engine} {first.engine_version}",
        data=first.dataset,
        images=images,
        images_per_second=round(used / seconds.mean, 1),
        seeds=len(records),
        seconds=_interval(seconds, 3),
        accuracy={
            name: _interval(summarise(known(record.accuracy[name] for record in records)), 6)
            for name in first.accuracy
            if name not in ("train", "val")
        },
        averaged=_measured_average(average) if average else None,
    )


def _recipe_knobs(setting: Setting) -> dict[str, Any]:
    """The knobs of `setting`, said so that others can be put over them.

    A convolution's hidden dense layers are left out where there are none: a dense model in its
    place has some. And what follows from a schedule or an augmentation is said, so that another
    one in its place keeps it.
    """
    training = dict(setting.training)
    knobs = setting.knobs()
    if not knobs.get("layers"):
        knobs.pop("layers", None)
    knobs |= {name: training[name] for name in _FOLLOWING if training[name]}
    of_model = [name for name in knobs if name not in training]
    return {name: knobs[name] for name in (*of_model, *training) if name in knobs}


def _measured_average(average: Average) -> MeasuredAverage:
    return MeasuredAverage(
        views=len(VIEWS),
        seeds=average.seeds,
        times_as_long=round(average.times_as_long, 2),
        accuracy={name: _interval(summary, 6) for name, summary in average.accuracy.items()},
    )


def _interval(summary: Summary, decimals: int) -> Interval:
    mean = round(summary.mean, decimals)
    if len(summary.values) == 1:
        return Interval(mean=mean)
    return Interval(mean=mean, low=round(summary.low, decimals), high=round(summary.high, decimals))


_TABLES = ("accuracy", "averaged")
"""Of what was measured, what has a table of its own."""


def _tables(name: str, content: Mapping[str, Any]) -> Iterator[str]:
    """A TOML table, and those within it."""
    yield from ("", f"[{name}]")
    yield from (f"{k} = {toml_value(v)}" for k, v in content.items() if k not in _TABLES)
    for inner in _TABLES:
        if inner in content:
            yield from _tables(f"{name}.{inner}", content[inner])
