"""The page `docs/method.md`, from a study."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.method.cautions import METHODS, SPREADS, Caution
from benchmarks.method.cautions import SEEDS as CAUTION_SEEDS
from benchmarks.method.coverage import Coverage
from benchmarks.method.errors import CLAIMS, LOOKS, ErrorRate
from benchmarks.method.order import SEEDS, Pair
from benchmarks.method.power import DESIGNS, SHIFTS, Power
from benchmarks.method.runs import CONFIGURATIONS, Runs

LOW, HIGH = 0.93, 0.97
"""Coverage that is as it should be."""
CLOSE = 0.003
"""Accuracy; pairs of networks that are no further apart are close."""


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that was found."""

    runs: Mapping[str, Runs]
    labs: int
    errors: Sequence[ErrorRate]
    coverage: Sequence[Coverage]
    power: Sequence[Power]
    order: Sequence[Pair]
    cautions: Sequence[Caution]


def page(study: Study) -> str:
    """The page as Markdown."""
    parts = [
        _HEAD,
        _why(study.order),
        _mistakes(study),
        _coverage(study.coverage),
        _power(study.power),
        _METHOD,
        _cautions(study),
        _table_of_runs(study.runs),
    ]
    return _filled("\n\n".join(parts)) + "\n"


_HEAD = """# How siffra decides, and how often it is wrong

After this page you know how siffra reaches a verdict, how often verdicts are wrong, and how many
seeds it takes to find a difference.

*`make method ARGS=--write` generates this page, with every figure on it, in a few minutes.*

This page measures how far siffra's verdicts can be trusted, on labs whose truth is known: their
runs are drawn from a table of real MNIST runs, and everything after the runs is siffra's own code.
Resampling runs of *one* configuration gives labs without any true difference, so every difference
found in them is an error."""


def _why(pairs: Sequence[Pair]) -> str:
    close = [pair for pair in pairs if pair.on == "test" and pair.gap <= CLOSE]
    moved = [pair for pair in pairs if pair.on == "moved"]
    worst = max(pair.claimed for pair in pairs)
    return f"""## Why one run is not enough

![How often one run of each of two networks puts them in the wrong order](method-order.svg)

All pairs of networks with 28 to 64 neurons, three epochs each, on all three test sets. With one
run of each, pairs whose test accuracies differ by at most {100 * CLOSE:.1f} points come out in the
wrong order in {_percent(np.mean([pair.wrong for pair in close]))} of cases ({len(close)} pairs); on
moved images, where the {len(moved)} pairs differ by {100 * min(p.gap for p in moved):.1f} to
{100 * max(p.gap for p in moved):.1f} points, in {_percent(np.mean([p.wrong for p in moved]))}. A
study with one run per level reports such orders as findings. siffra, with {SEEDS} seeds, gave the
opposite of the true verdict (*supported* for *refuted* or the reverse) in {_percent(worst, 1)} of
labs for the worst pair."""


def _mistakes(study: Study) -> str:
    rows = [row for row in study.errors if row.moderated]
    both = {(row.runs, row.looks) for row in study.errors if not row.moderated}
    of_each = ", ".join(f"{count} on {name}" for name, count in CLAIMS.items())
    table = _table(
        ["runs", *LOOKS],
        [
            [name, *(_rate(row, row.wrong) for row in rows if row.runs == name)]
            for name in dict.fromkeys(row.runs for row in rows)
        ],
    )
    missed = _table(
        ["runs", *LOOKS],
        [
            [name, *(_rate(row, row.missed or 0) for row in rows if row.runs == name)]
            for name in dict.fromkeys(row.runs for row in rows)
        ],
    )
    above = [row for row in rows if row.share(row.wrong)[1] > 0.05]
    told = "; ".join(f"{row.runs}, {row.looks}" for row in above) or "none"
    largest = {
        moderated: max(
            row.wrong / row.labs
            for row in study.errors
            if row.moderated == moderated and (row.runs, row.looks) in both
        )
        for moderated in (True, False)
    }
    return f"""## Error rates

{study.labs:,} labs in each cell, with 20 claims each ({of_each}); every level is compared with the
first of its set. In brackets: 95 % Clopper–Pearson intervals.

**Labs without any true difference: the share in which any claim is *supported* or *refuted*.** The
target is at most 5 %.

{table}

Above 5 %, beyond chance: {told}. The largest share at 3, 5 and 10 seeds is
{_percent(largest[True], 1)}; with plain t intervals, without variance shrinkage, it is
{_percent(largest[False], 1)}. Shares are below 5 % where claims of one lab err together, because
they share a level. With few seeds there are few degrees of freedom, and runs that happen to agree
carry too much weight where values cluster, as times do on a busy machine; therefore siffra's
presets have five seeds.

**Labs in which every difference equals the margin: the share in which any claim gets *no
difference*.**

{missed}"""


def _rate(row: ErrorRate, count: int) -> str:
    share, low, high = row.share(count)
    return f"{100 * share:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def _coverage(rows: Sequence[Coverage]) -> str:
    seeds = sorted({row.seeds for row in rows})
    lines = []
    for what in dict.fromkeys(row.what for row in rows):
        own = {row.seeds: row for row in rows if row.what == what}
        censored = f"; {_percent(own[seeds[0]].censored)} bounds" if own[seeds[0]].censored else ""
        lines.append([what + censored, *(_covers(own[n]) for n in seeds)])
    beyond = [(row, row.lies_beyond(LOW, HIGH)) for row in rows]
    return f"""## Coverage

The share of 95 % intervals that contain the true value. Each cell has the plain t interval, then
siffra's moderated one, among ten comparisons of its kind. The target is 93 to 97 %.

{_table(["comparison", *(f"{n} seeds" for n in seeds)], lines)}

Below 93 %, beyond chance: {_told([row for row, (below, _) in beyond if below])}.

Above 97 %, beyond chance: {_told([row for row, (_, above) in beyond if above])}.

Intervals above the target are safe, but wide. Collapsed networks, and epochs to a target that is
reached early, take few distinct values; where runs agree, siffra assumes the variation that
counting in whole epochs or images can hide. Times include rare slow runs, which a handful of seeds
either contains or not. Where networks collapse in some seeds, accuracy takes one of two values, and
no interval from a few seeds is exact. Runs that do not reach a target (on test; they are compared
with runs that take an epoch longer) count as bounds: the interval is open on that side and cannot
miss there, so it covers more than 95 %."""


def _told(rows: Sequence[Coverage]) -> str:
    told = []
    for what in dict.fromkeys(row.what for row in rows):
        seeds = [f"{r.seeds} seeds {_percent(r.used, 1)}" for r in rows if r.what == what]
        told.append(f"{what} ({', '.join(seeds)})")
    return "; ".join(told) or "none"


def _covers(row: Coverage) -> str:
    shrunk = "" if row.moderated is None else f" / {100 * row.moderated:.1f}"
    return f"{100 * row.plain:.1f}{shrunk} %"


def _power(rows: Sequence[Power]) -> str:
    table = _table(
        ["true difference (points)", *map(str, SHIFTS)],
        [
            [design, *(_percent(row.found) for row in rows if row.design == design)]
            for design in DESIGNS
        ],
    )
    used = [row for row in rows if row.design.startswith("until")]
    return f"""## Power

![How many true differences are found](method-power.svg)

Labs of 20 claims about dense networks (32 neurons, 10 epochs). The ten claims on test have the
stated true difference; a cell is the share of them that are *supported*.

{table}

With `--until-decided`, claims took {used[0].seeds:.0f} seeds on average at {SHIFTS[0]} points and
{used[-1].seeds:.1f} at {SHIFTS[-1]}."""


_METHOD = """## The procedure

**Pairs.** Levels are compared seed by seed: accuracies as differences, times and epochs as ratios
(on the log scale), times only within one machine and number of threads. The mean difference gets a
t interval (Student 1908). Its standard deviation is never taken to be smaller than what counting
whole images can hide.

**Variance shrinkage.** Comparisons of one kind (the same metric on the same set) have similar
variances. siffra estimates from the lab how similar they are, and shrinks each variance towards
the others: the moderated t of Smyth (2004). The original is meant for thousands of genes. A lab has
ten comparisons that share levels, and some vary thirty times as much as others (below). Hence five
precautions: no shrinkage where the variances are so different that it would be worth less than five
seeds; none with fewer than three comparisons; it counts for no more than a comparison's own seeds;
a comparison that varies more than its kind keeps its own variance, and gains less; and with fewer
than five seeds, shrinkage only widens the intervals of runs that happen to agree.

**Error rates.** At most 5 % of labs may claim a difference that does not exist, and at most 5 % may
miss one that matters. All claims of a lab share each of these rates by Holm's method (1979).

**Interim looks.** With `--until-decided`, a lab looks at 5, 10, 20, … seeds and continues with the
undecided claims. The error rate is spread over the looks by the spending function of Lan and DeMets
(1983) that resembles O'Brien–Fleming bounds: by looks at 5, 10 and 20 seeds, 0.001 %, 0.3 % and all
of it are spent. Within a look, Holm's steps follow Maurer and Bretz (2013). The bounds are exact
for normal scores and are applied to the p-values of t statistics.

**Two knobs.** "The best learning rate depends on the batch size" is shown if every learning rate
loses to another one at some batch size, each by an interval adjusted for all places where that
could have seemed so; "it does not" is shown if one rate is within the margin of the best at every
batch size (Berger 1982, Gail and Simon 1985). Both are judged on validation and share the lab's
error rates.

**Retuned knobs.** Each seed uses the value with the best validation accuracy *on the other seeds*,
so the luck that made a value look best is not in its score.

**Censoring.** A run that never reaches its target counts as slower than its length: a bound, which
opens the interval on that side. If neither side reaches the target in some seed, the claim is
inconclusive.

**Divergence.** A run has diverged when the loss of an epoch is not finite, or when its network
predicts something that is not a number. It has no accuracy from then on and enters no mean; the
table says "2 of 5 diverged". For a claim about accuracy, it counts as worse than any run that
trained, by an unknown difference: that seed opens the interval on the failing side. The other seeds
can then show that the other side is better, but neither that nothing differs nor that it is worse;
such a claim is inconclusive, as it is if no seed is left or if both sides diverged. A claim about a
drop or a decline with a diverged run is inconclusive too. A target not reached before divergence
counts as never reached, and training times are compared as usual. Where a level or a retuned value
is chosen on validation, a diverged run counts as one that is never right."""


def _cautions(study: Study) -> str:
    found = {(row.spreads, row.seeds, row.method): row.wrong for row in study.cautions}
    rows = [
        [
            spreads,
            *(
                " / ".join(f"{100 * found[spreads, n, method]:.1f}" for method in METHODS) + " %"
                for n in CAUTION_SEEDS
            ),
        ]
        for spreads in SPREADS
    ]
    return f"""## Why variance shrinkage is cautious

Labs of ten claims that share a level, none of them true. The runs are normal, and only their
standard deviations differ. A cell is the share of {study.labs:,} labs in which a difference is
found: {" / ".join(METHODS)}.

{_table(["spreads", *(f"{n} seeds" for n in CAUTION_SEEDS)], rows)}"""


def _table_of_runs(runs: Mapping[str, Runs]) -> str:
    rows = [
        [
            name,
            ", ".join(f"{knob} = {value}" for knob, value in CONFIGURATIONS[name][0].items()),
            str(len(one.seconds)),
            _spread(100 * one.accuracy["test"], " %"),
            _spread(one.seconds, " s"),
        ]
        for name, one in runs.items()
    ]
    table = _table(["name", "knobs", "runs", "test: mean (sd)", "training: median (most)"], rows)
    return f"""## The runs

{table}

Everything else is siffra's default. The table is `benchmarks/method/runs.csv`; `python -m
benchmarks.method --make-runs` trains it again, on a machine that is otherwise idle. As in a lab,
all runs of a seed are made before those of the next."""


def _spread(values: np.ndarray, unit: str) -> str:
    if unit == " s":
        return f"{np.median(values):.2f} ({values.max():.2f}){unit}"
    return f"{values.mean():.2f} ({values.std(ddof=1):.2f}){unit}"


def _percent(share: float | np.floating, decimals: int = 0) -> str:
    return f"{100 * float(share):.{decimals}f} %"


def _filled(text: str) -> str:
    """Paragraphs filled anew: the figures in them are not as long as what stands for them."""
    blocks = text.split("\n\n")
    return "\n\n".join(
        block
        if block.startswith(("|", "#", "!"))
        else textwrap.fill(block, 100, break_long_words=False, break_on_hyphens=False)
        for block in blocks
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def lines() -> Iterator[str]:
        yield "| " + " | ".join(head) + " |"
        yield "|" + "---|" * len(head)
        for row in rows:
            yield "| " + " | ".join(row) + " |"

    return "\n".join(lines())
