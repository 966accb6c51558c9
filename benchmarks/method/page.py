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


_HEAD = """# The method, put to the test

*Written by `make method ARGS=--write`, in a few minutes; every figure on this page is from it.*

siffra answers with verdicts. This page asks how far they can be trusted, and finds out by making
labs of which the truth is known: their runs are drawn from a table of real MNIST runs, and
everything after the runs is siffra's own code. Resampling runs of *one* configuration gives labs
in which nothing differs, so that whatever they find is wrong."""


def _why(pairs: Sequence[Pair]) -> str:
    close = [pair for pair in pairs if pair.on == "test" and pair.gap <= CLOSE]
    moved = [pair for pair in pairs if pair.on == "moved"]
    worst = max(pair.claimed for pair in pairs)
    return f"""## Why one run is not enough

![How often one run of each of two networks puts them in the wrong order](method-order.svg)

Networks with 28 to 64 neurons, three epochs each, all pairs, on all three test sets. With one run
of each, pairs that are at most {100 * CLOSE:.1f} points of test accuracy apart come out the wrong
way round in {_percent(np.mean([pair.wrong for pair in close]))} of cases ({len(close)} pairs); on
the moved images, where the {len(moved)} pairs are {100 * min(p.gap for p in moved):.1f} to
{100 * max(p.gap for p in moved):.1f} points apart, in
{_percent(np.mean([p.wrong for p in moved]))}. A study that trains each level once reports such
orders as findings. siffra, with {SEEDS} seeds, gave the wrong
one of the verdicts *supported* and *refuted* in {_percent(worst, 1)} of labs where it did so most
often."""


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
    return f"""## Mistakes

{study.labs:,} labs in each cell, of 20 claims each ({of_each}), every level compared with the
first of its set. In brackets: Clopper and Pearson's 95 % interval.

**Labs in which nothing differs, and any claim is *supported* or *refuted*.** At most 5 % should be.

{table}

Above 5 %, beyond chance: {told}. The largest share at 3, 5 and 10 seeds is
{_percent(largest[True], 1)}; with plain t intervals, without learning from each other, it is
{_percent(largest[False], 1)}. Below 5 % is where claims of one lab err together, since they share a
level. Few seeds leave few degrees of freedom, and runs that happen to agree weigh too much where
values come in clumps, as times do on a busy machine: siffra's presets have five seeds.

**Labs in which everything differs by exactly the margin, and any claim gets *no difference*.**

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

How many 95 % intervals cover the truth; each cell has its plain t interval, then the moderated
one, which is siffra's, among ten comparisons of its kind. 93 to 97 % is as it should be.

{_table(["comparison", *(f"{n} seeds" for n in seeds)], lines)}

Below 93 %, beyond chance: {_told([row for row, (below, _) in beyond if below])}.

Above 97 %, beyond chance: {_told([row for row, (_, above) in beyond if above])}.

What lies above is safe, only wide: collapsed networks, and epochs to a target that is reached
early, take few different values, and where runs agree they are believed to vary by as much as
counting in whole epochs or images can hide. Times come with rare slow runs, which a handful of
seeds either has or not; where networks collapse in some seeds, accuracy takes one of two values,
and no interval from a few seeds is exact. Where runs do not reach a target (on test; they are
compared with runs that take an epoch longer), they count as bounds, and the interval is open on
that side: it cannot miss there, so that it covers more than 95 %."""


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

Labs of 20 claims about dense networks (32 neurons, 10 epochs), of which the ten on test differ by
so much; found is *supported*.

{table}

Until decided, the claims took {used[0].seeds:.0f} seeds on average at {SHIFTS[0]} points and
{used[-1].seeds:.1f} at {SHIFTS[-1]}."""


_METHOD = """## What siffra does

**Pairs.** Levels are compared seed by seed: accuracies as differences, times and epochs as ratios
(on the log scale), times only within one machine and number of threads. The mean difference has a
t interval (Student 1908). Its spread is never taken to be less than what counting whole images
can hide.

**Variances learn from each other.** Comparisons of one kind (the same metric on the same set)
vary alike, more or less. How much alike is estimated from the lab, and each variance is drawn
towards the others': the moderated t of Smyth (2004). As it stands it is made for thousands of
genes; a lab has ten comparisons that share levels, and some of them vary thirty times as much as
others (below). Hence five cautions: nothing is learned where spreads are so different that it
would be worth less than five seeds; nor from fewer than three comparisons; what is learned counts
for no more than a comparison's own seeds; a comparison that varies more than its kind keeps its
own variance, and learns the less; and with fewer than five seeds it is a hint, which only widens
the intervals of runs that happen to agree.

**One allowance.** 5 % of labs may claim a difference that is not there, and 5 % may miss one that
matters. Each allowance is shared by all claims of the lab in a Holm sequence (1979).

**Looks.** With `--until-decided` a lab looks at 5, 10, 20, … seeds and goes on with what is open.
The allowance is spread over the looks by the function of Lan and DeMets (1983) that resembles
O'Brien and Fleming's bounds: with looks at 5, 10 and 20 seeds, 0.001 %, 0.3 % and all of it are
spent by each. Within each look Holm's steps are those of Maurer and Bretz (2013). The bounds are
exact for normal scores and are used for the p-values of t statistics.

**Two knobs.** "The best learning rate depends on the batch size" is shown when every learning
rate loses to another one at some batch size, each by an interval that allows for all places where
it could have seemed to; "it does not" when one rate is within the margin of the best at all of
them (Berger 1982, Gail and Simon 1985). Both are judged on validation and share the lab's
allowance.

**Retuned knobs.** Each seed uses the value that is best on validation *for the other seeds*, so
that the luck which made a value look best is not in its score.

**Censoring.** A run that never reaches its target counts as later than its end: a bound, which
opens the interval on that side. If neither side reaches it in some seed, the claim stays
inconclusive."""


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
    return f"""## Why the moderated t is cautious

Labs of ten claims that share a level, of which none is true; the runs are normal, and only their
spreads differ. In how many a difference is found, {study.labs:,} labs in each cell:
{" / ".join(METHODS)}.

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

All else is siffra's default. The table is `benchmarks/method/runs.csv`; `python -m
benchmarks.method --make-runs` trains it anew, on a machine that does nothing else. As in a lab,
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
