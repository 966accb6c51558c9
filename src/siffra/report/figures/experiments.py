"""A lab's own experiments: accuracy, or a metric, against seconds, beside what was reported."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from siffra.config.metrics import Metric
from siffra.lab.answers import ExperimentAnswer
from siffra.lab.plan.plan import Figure as Kind
from siffra.lab.stats.diagnostics import by_seed
from siffra.report.figures import confusion, style
from siffra.report.figures.networks import Named, clauses, joined
from siffra.report.text import numbers
from siffra.report.text.labels import sets_of
from siffra.report.text.messages import Words, capital
from siffra.training.examination import Examined


def shown(kind: Kind, experiments: Sequence[ExperimentAnswer]) -> list[ExperimentAnswer]:
    """Those with runs; of many, where each takes much room, the first ones and the best."""
    seen = [e for e in experiments if e.trained]
    if kind not in ("confusion", "mistakes") or not seen:
        return seen
    return confusion.few(seen, max(seen, key=lambda e: e.accuracy["val"].mean))


def named(
    experiments: Sequence[ExperimentAnswer], words: Words, examined: Examined | None
) -> Named:
    """Those of which networks were examined."""
    pairs = [(words.say(e.experiment.name), by_seed(e.records, examined)) for e in experiments]
    return [(name, examinations) for name, examinations in pairs if examinations]


def draw(experiments: Sequence[ExperimentAnswer], words: Words) -> Figure:
    """One panel a set or metric; ours filled with both intervals, the reported ones hollow."""
    sets, metrics = sets_of(experiments), experiments[0].experiment.metrics
    names = (*sets, *(metric.name for metric in metrics))
    figure, axes = style.row(len(names), height=3.9)
    colours = style.colours(len(experiments))
    markers = [style.MARKERS[i % len(style.MARKERS)] for i in range(len(experiments))]
    for axis, name in zip(axes, names, strict=True):
        for experiment, colour, marker in zip(experiments, colours, markers, strict=True):
            _points(axis, experiment, name, colour, marker)
        style.seconds_axis(axis, _all_seconds(experiments), words)
    for axis, name in zip(axes, sets, strict=False):
        axis.set_title(capital(words(f"set.{name}")))
        axis.yaxis.set_major_formatter(style.percent_axis(words))
    style.name_accuracy(axes[: len(sets)], words)
    for axis, metric in zip(axes[len(sets) :], metrics, strict=True):
        style.name_metric(axis, metric, words)
    handles = [
        Line2D([], [], ls="", marker=marker, color=colour, ms=6)
        for colour, marker in zip(colours, markers, strict=True)
    ]
    labels = [words.say(e.experiment.name) for e in experiments]
    if any(e.experiment.reported for e in experiments):
        handles.append(Line2D([], [], ls="", marker="D", mfc="none", mec=style.INK, ms=6))
        labels.append(words("figure.hollow"))
    style.legend_below(figure, handles, labels)
    return figure


def caption(experiments: Sequence[ExperimentAnswer], words: Words) -> str:
    """Which experiment is the best, and which the fastest."""
    seen = [e for e in experiments if e.trained]
    metrics = experiments[0].experiment.metrics
    read = words("caption.experiments_read" if metrics else "caption.experiments")
    if len(seen) < 2:
        return read
    if metrics:
        return joined(clauses(*(_best_in(metric, seen, words) for metric in metrics)), read)
    best = max(seen, key=lambda e: e.accuracy["test"].mean)
    fast = min(seen, key=lambda e: e.seconds.mean)
    key, values = "caption.experiments_both", _values("", best, words)
    if any(record.is_busy for e in seen for record in e.records):
        key = "caption.experiments_busy"
    elif best is not fast:
        key, values = "caption.experiments_seen", values | _values("fast_", fast, words)
    values["best"] = words.say(best.experiment.name)
    values["fast"] = words.say(fast.experiment.name)
    return f"{words(key, **values)} {read}"


def _best_in(metric: Metric, experiments: Sequence[ExperimentAnswer], words: Words) -> str:
    choose = max if metric.higher_is_better else min
    best = choose(experiments, key=lambda e: e.metrics[metric.name].mean)
    value = numbers.metric_number(words, best.metrics[metric.name], metric)
    name = words.say(best.experiment.name)
    return words("caption.experiments_best", metric=metric.name, best=name, value=value)


def _values(prefix: str, experiment: ExperimentAnswer, words: Words) -> dict[str, str]:
    return {
        f"{prefix}accuracy": numbers.accuracy(words, experiment.accuracy["test"]),
        f"{prefix}seconds": numbers.seconds(words, experiment.seconds),
    }


def _points(axis: Axes, experiment: ExperimentAnswer, name: str, colour: str, marker: str) -> None:
    reported = experiment.experiment.reported
    place = None
    if trained := experiment.trained:
        accuracy = (experiment.metrics or experiment.accuracy)[name]
        seconds = experiment.seconds
        place = seconds.mean, accuracy.mean
        axis.plot(
            [run.seconds for run in trained if name in (run.metrics or run.accuracy)],
            accuracy.values,
            marker,
            color=colour,
            ms=3,
            alpha=0.45,
            mew=0,
            zorder=3,
        )
        axis.errorbar(
            *place,
            style.arms(accuracy),
            style.arms(seconds),
            color=colour,
            lw=1.2,
            capsize=2,
            zorder=4,
        )
        axis.plot(*place, marker, color=colour, ms=6, mec=style.PAPER, mew=0.6, zorder=5)
    if name in reported and "seconds" in reported:
        theirs = reported["seconds"], reported[name]
        axis.plot(*theirs, marker, mfc="none", mec=colour, ms=6, mew=1.3, zorder=5)
        if place:
            axis.plot(*zip(place, theirs, strict=True), color=colour, lw=0.7, ls=":", zorder=2)


def _all_seconds(experiments: Sequence[ExperimentAnswer]) -> list[float]:
    ours = [second for e in experiments for second in e.seconds.values]
    theirs = [e.experiment.reported.get("seconds", 0.0) for e in experiments]
    return [s for s in ours + theirs if s > 0] or [1.0]
