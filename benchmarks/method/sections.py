"""The sections of `docs/method.md` that hold figures, each from a study."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.method.coverage import Bound, Coverage
from benchmarks.method.errors import DESIGNS, Counts, ErrorRate, OrderRate, share
from benchmarks.method.order import SEEDS, Pair
from benchmarks.method.peers import NAMES, Peer
from benchmarks.method.power import DESIGNS as POWER_DESIGNS
from benchmarks.method.power import SIZES, Decided, Power
from benchmarks.method.runs import CONFIGURATIONS, Runs
from benchmarks.method.sentences import Sentences

TARGET = 0.05
LOW, HIGH = 0.93, 0.97
"""Coverage that is as it should be."""
CLOSE = 0.003
"""Accuracy; pairs of networks that are no further apart are close."""
AT_LOOKS = list(DESIGNS)[-1]


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that was found, in `labs` labs of each cell."""

    runs: Mapping[str, Runs]
    labs: int
    errors: Sequence[ErrorRate]
    real: Sequence[ErrorRate]
    mixed: Sequence[ErrorRate]
    limits: Sequence[ErrorRate]
    orders: Sequence[OrderRate]
    peers: Sequence[Peer]
    power: Sequence[Power]
    decided: Sequence[Decided]
    coverage: Sequence[Coverage]
    bounds: Sequence[Bound]
    order: Sequence[Pair]
    sentences: Sequence[Sentences]
    calibration: Mapping[float, float]


def summary(study: Study) -> str:
    """What a student takes from the page, in figures."""
    rows = [*study.errors, *study.real]
    worst = max(rows, key=lambda row: row.twin.wrong / row.twin.labs)
    first, last = study.decided[0], study.decided[-1]
    close = [pair for pair in study.order if pair.on == "test" and pair.gap <= CLOSE]
    likely = max(row.twin.false_share / row.twin.labs for row in study.mixed)
    return f"""What this page measures, in short:

- **Shown is wrong in at most {percent(worst.twin.wrong / worst.twin.labs, 1)} of labs**, in the
  worst of {len({row.cell for row in rows})} kinds of labs ({worst.cell}, {worst.design}).
- **Of all verdicts, shown and likely, at most {percent(likely, 1)} are wrong** in labs in which
  some claims hold and some do not.
- **Seeds decide.** Of {first.claims} claims like those of a student's study, {first.shown:.0f} are
  shown with five seeds of everything, and {last.by_looks:.0f} by looks at 5 to 40 seeds, with
  {last.taken:.0f} seeds a claim on average. {first.likely:.0f} are at least likely after five.
- **One run is not enough.** Of two networks whose accuracies differ by {100 * CLOSE:.1f} points or
  less, one run of each puts the worse one first in
  {percent(np.mean([pair.wrong for pair in close]))} of cases."""


def why(pairs: Sequence[Pair]) -> str:
    """One run of each of two levels."""
    close = [pair for pair in pairs if pair.on == "test" and pair.gap <= CLOSE]
    moved = [pair for pair in pairs if pair.on == "moved"]
    worst = max(pair.claimed for pair in pairs)
    return f"""## Why one run is not enough

![How often one run of each of two networks puts them in the wrong order](method-order.svg)

All pairs of networks with 28 to 64 neurons, three epochs each, on all three test sets. With one
run of each, pairs whose test accuracies differ by at most {100 * CLOSE:.1f} points come out in the
wrong order in {percent(np.mean([pair.wrong for pair in close]))} of cases ({len(close)} pairs); on
moved images, where the {len(moved)} pairs differ by {100 * min(p.gap for p in moved):.1f} to
{100 * max(p.gap for p in moved):.1f} points, in {percent(np.mean([p.wrong for p in moved]))}. A
study with one run per level reports such orders as findings. siffra, asked with {SEEDS} seeds, has
shown the wrong one to be better in {percent(worst, 1)} of labs for the worst pair."""


def errors(study: Study) -> str:
    """Family errors of all cells, and the twin's agreement."""
    rows = [*study.errors, *study.real, *study.mixed, *study.limits]
    compared, agreed = sum(row.compared for row in rows), sum(row.agreed for row in rows)
    judged = [*study.errors, *study.real]
    labs = study.errors[0].twin.labs
    by_siffra = share(sum(r.siffra.wrong for r in judged), sum(r.siffra.labs for r in judged))
    by_twin = sum(r.twin.wrong for r in judged) / sum(r.twin.labs for r in judged)
    above = [row for row in judged if row.twin.share()[1] > TARGET]
    listed = "; ".join(f"{row.cell}, {row.design}" for row in above) or "none"
    likely = max(judged, key=lambda row: row.twin.false_share / row.twin.labs)
    return f"""## Error rates

Labs whose truth is known, so that what is wrong can be counted. Where nothing differs, any
*supported* or *refuted* is wrong; where claims lie at the margin, any *no difference* is. The
number of claims is in brackets; in most cells half of them share a level with four others.

Each cell is judged twice: {study.labs:,} labs by **siffra**'s own functions, which is all that
comes after the runs, and {labs:,}, those included, by a **twin**, which was written apart from
them, from the design. On the labs that both judged, {agreed:,} of {compared:,} claims got the same
verdict, grade and look (the rest lie on a bound, which siffra interpolates to four digits).
Over the cells of the two tables siffra showed something wrong in {_interval(*by_siffra)} of labs,
the twin in {percent(by_twin, 1)}.

The tables have the twin's share of labs in which anything *shown* is wrong, with its 95 %
Clopper–Pearson interval, and last the expected share of wrong verdicts among all that are given,
likely ones included. The target is 5 % in every column.

{_error_table(study.errors)}

Labs of real runs (below), resampled:

{_error_table(study.real)}

Above 5 % of labs that show anything wrong, beyond chance: {listed}. The largest share of wrong
among all verdicts is {_false_share(likely.twin)} ({likely.cell}, {likely.design}); where nothing
differs, that is the share of labs that say anything, and in mixed labs (below) it is less.

t tests at bounds that are exact for normal scores err a little more often than they say: one claim
of normal runs in {percent(study.calibration[0.05], 1)} for 5 %, and in
{percent(study.calibration[0.001], 3)} for 0.1 %. Holm's procedure seldom lets it show."""


def _error_table(rows: Sequence[ErrorRate]) -> str:
    by_cell: dict[str, dict[str, ErrorRate]] = {}
    for row in rows:
        by_cell.setdefault(row.cell, {})[row.design] = row
    return table(
        ["cell (claims)", *DESIGNS, f"wrong among all verdicts, {AT_LOOKS}"],
        [
            [
                cell,
                *(_rate(own[d].twin) for d in DESIGNS),
                _false_share(own[AT_LOOKS].twin),
            ]
            for cell, own in by_cell.items()
        ],
    )


def _rate(counts: Counts) -> str:
    return _interval(*counts.share())


def _interval(found: float, low: float, high: float) -> str:
    return f"{100 * found:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def orders(rows: Sequence[OrderRate]) -> str:
    """Any order, any stop."""
    cheapest = max(rows, key=lambda row: row.cheapest_first.wrong / row.cheapest_first.labs)
    never = max(rows, key=lambda row: row.never_stopping.wrong / row.never_stopping.labs)
    labs = rows[0].cheapest_first.labs
    return f"""## Any order, any stop

A lab does not go on in step: the open claim that costs the fewest seconds goes first, and a budget
ends it anywhere, also before some claims have had their first look; these count in their family all
the same, with a p-value of 1. Errors cannot rise by that: sequential p-values only fall, and Holm's
procedure rejects no less where they are lower, so that what a lab shows at any stop is among what
it would show had every claim taken every look. Simulated by the twin all the same, {labs:,} labs a
cell, {len(rows)} cells: cheapest first with a random budget, at most
{_rate(cheapest.cheapest_first)} ({cheapest.cell}); without any stop, every rejection counted, at
most {_rate(never.never_stopping)} ({never.cell}). The largest of so many is one that chance
raised."""


def sentences(rows: Sequence[Sentences]) -> str:
    """What answers say beyond claims."""
    lines = [[row.what, _interval(*row.share())] for row in rows]
    return f"""## Sentences

What an answer says beyond the claims of its question, such as which level is best, is a family of
its own, one a question, at 5 %. {rows[0].questions:,} questions a row, about test, moved and
rotated images, through all of `siffra.lab`. Without claims, nothing differs, and there are five
seeds. With claims, all levels but one are alike, some of them are claimed to be better than that
one, and seeds are added at looks until this is shown. Share of answers that say that levels differ
which are alike:

{table(["question", "answers that say so"], lines)}"""


def mixed(rows: Sequence[ErrorRate]) -> str:
    """Labs with true and false claims."""
    by_cell: dict[str, dict[str, Counts]] = {}
    for row in rows:
        by_cell.setdefault(row.cell, {})[row.design] = row.twin
    lines = [
        [
            cell,
            *(text for d in DESIGNS for text in (_verdicts(own[d]), _false_share(own[d]))),
            _rate(own[AT_LOOKS]),
        ]
        for cell, own in by_cell.items()
    ]
    of_each = [text for d in DESIGNS for text in (f"{d}: shown + likely", "wrong among them")]
    head = ["labs of 60 claims", *of_each, f"labs that show anything wrong, {AT_LOOKS}"]
    return f"""## Mixed labs: how much of what is said is wrong

Effects are log-normal about twice the margin, spreads differ by a factor of two; claims that
neither differ nor are alike differ by exactly the margin, the hardest case for *no difference*.
Figures are the twin's.

{table(head, lines)}"""


def _verdicts(counts: Counts) -> str:
    likely = counts.verdicts - counts.shown
    return f"{counts.shown / counts.labs:.0f} + {likely / counts.labs:.0f}"


def _false_share(counts: Counts) -> str:
    return percent(counts.false_share / counts.labs, 1)


def peers(rows: Sequence[Peer]) -> str:
    """The same labs by siffra, AdaStop and plain Holm."""
    lines = []
    for labs_of in dict.fromkeys(row.labs_of for row in rows):
        own = {row.name: row for row in rows if row.labs_of == labs_of}
        lines.append([labs_of, *(_peer(own[name]) if name in own else "–" for name in NAMES)])
    return f"""## Beside AdaStop and plain Holm

Labs of one question: five levels against a first, {rows[0].labs} labs a row, the same for all
three. [AdaStop](https://pypi.org/project/adastop/) (Mathieu and others 2024) compares means by
permutations (1,000 here), five runs at a time, up to 40, at 5 %; plain Holm is a paired t test on
five seeds. Each cell: labs that say anything wrong · true differences found · runs used of 240.

{table(["labs", *NAMES], lines)}

AdaStop has no verdict of *no difference*: what it does not tell apart it calls equal. siffra stops
early as well where it can show *no difference*, which spreads of 0.3 points and a margin of 0.2
hardly allow here."""


def _peer(row: Peer) -> str:
    wrong = _interval(*share(row.wrong, row.labs))
    found = "" if np.isnan(row.found) else f" · {percent(row.found)}"
    return f"{wrong}{found} · {row.runs:.0f}"


def power(study: Study) -> str:
    """What is found, with how many seeds."""
    rows = study.power
    found = table(
        ["true difference (standard deviations)", *map(str, SIZES)],
        [
            [design, *(_found(row) for row in rows if row.design == design)]
            for design in POWER_DESIGNS
        ],
    )
    by_looks = [row for row in rows if row.design == AT_LOOKS]
    decided = table(
        ["seeds", "shown, all with so many", "and likely", "shown by looks", "seeds taken a claim"],
        [
            [
                str(row.seeds),
                f"{row.shown:.1f}",
                f"{row.likely:.1f}",
                f"{row.by_looks:.1f}",
                f"{row.taken:.1f}",
            ]
            for row in study.decided
        ],
    )
    return f"""## Power

![How many of a student's claims are decided](method-decided.svg)

Labs like a student's: the {study.decided[0].claims} claims on accuracies of the study in these
docs whose differences vary by at most 4 points, with effects and spreads drawn as five seeds of
each leave them uncertain. Claims decided, of {study.decided[0].claims}:

{decided}

![How many true differences are found](method-power.svg)

Labs of 20 claims, ten of which have the stated true difference, in standard deviations of the
difference of a pair; a cell is the share of those ten that are shown (shown or likely).

{found}

With looks, such claims took {by_looks[0].seeds:.0f} seeds on average at {SIZES[0]:g} standard
deviations, {by_looks[2].seeds:.0f} at {SIZES[2]:g} and {by_looks[-1].seeds:.0f} at
{SIZES[-1]:g}."""


def _found(row: Power) -> str:
    return f"{percent(row.shown)} ({percent(row.likely)})"


def coverage(rows: Sequence[Coverage]) -> str:
    """How often intervals hold."""
    seeds = sorted({row.seeds for row in rows})
    lines = []
    for what in dict.fromkeys(row.what for row in rows):
        own = {row.seeds: row for row in rows if row.what == what}
        censored = f"; {percent(own[seeds[0]].censored)} bounds" if own[seeds[0]].censored else ""
        lines.append([what + censored, *(percent(own[n].covered, 1) for n in seeds)])
    beyond = [(row, row.lies_beyond(LOW, HIGH)) for row in rows]
    return f"""## Coverage

The share of 95 % intervals that contain the true value. The target is 93 to 97 %. Exact intervals
(of medians and of shares) can only take certain levels, and mostly cover more; where no run
collapsed, or every run did, the bound of the share is one-sided.

{table(["interval", *(f"{n} seeds" for n in seeds)], lines)}

Below 93 %, beyond chance: {_listed([row for row, (below, _) in beyond if below])}.

Collapsed networks, and epochs to a target that is reached early, take few distinct values; where
runs agree, siffra assumes the variation that counting in whole epochs or images can hide. Runs that
do not reach a target (on test; they are compared with runs that take an epoch longer) count as
bounds: the interval is open on that side and cannot miss there, so it covers more than 95 %."""


def _listed(rows: Sequence[Coverage]) -> str:
    listed = []
    for what in dict.fromkeys(row.what for row in rows):
        seeds = [f"{r.seeds} seeds {percent(r.covered, 1)}" for r in rows if r.what == what]
        listed.append(f"{what} ({', '.join(seeds)})")
    return "; ".join(listed) or "none"


def limits(study: Study) -> str:
    """What few runs cannot show."""
    lines = []
    for cell in dict.fromkeys(row.cell for row in study.limits):
        own = {row.design: row.twin for row in study.limits if row.cell == cell}
        lines.append([cell, *(percent(own[d].wrong_claims / own[d].claims) for d in DESIGNS)])
    bounds = table(
        [
            "runs of one level that collapse",
            "no difference shown",
            "beside a bound that is too low",
        ],
        [[percent(b.share), percent(b.same), percent(b.missed, 1)] for b in study.bounds],
    )
    return f"""## What no number of lucky runs can show

**Rare collapse.** Five runs that trained say little about how many of a hundred would not. So *no
difference* is given only where nothing collapsed, and beside the bound on what may ("0 of 5: up to
45 %"). Two levels alike, but for runs of one that collapse; ten claims a lab, {AT_LOOKS}:

{bounds}

**Rare failures that are no collapse.** A network that stops halfway, at 45 %, gives more than one
class, and counts as trained. Where that is rare and happens at one level alone, few seeds never see
it, and the mean that they show is not the true one. Share of claims with a wrong verdict shown:

{table(["cell (claims)", *DESIGNS], lines)}

No test of so few runs can do better, and no verdict replaces a look at a level's lowest run."""


def table_of_runs(runs: Mapping[str, Runs]) -> str:
    """What was resampled."""
    rows = [
        [
            name,
            ", ".join(f"{knob} = {value}" for knob, value in CONFIGURATIONS[name][0].items()),
            str(len(one.seconds)),
            _spread(100 * one.accuracy["test"]),
            percent(one.collapsed.mean()),
        ]
        for name, one in runs.items()
    ]
    return f"""## The runs

{table(["name", "knobs", "runs", "test: mean (sd)", "collapsed"], rows)}

Everything else is siffra's default. The table is `benchmarks/method/runs.csv`; `python -m
benchmarks.method --make-runs` trains it again. Runs below 11.5 % count as collapsed here (the most
frequent class has 11.35 % of the test images)."""


def _spread(values: np.ndarray) -> str:
    return f"{values.mean():.2f} ({values.std(ddof=1):.2f}) %"


def percent(share: float | np.floating, decimals: int = 0) -> str:
    """A share as a percentage."""
    return f"{100 * float(share):.{decimals}f} %"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""

    def lines() -> Iterator[str]:
        yield "| " + " | ".join(head) + " |"
        yield "|" + "---|" * len(head)
        for row in rows:
            yield "| " + " | ".join(row) + " |"

    return "\n".join(lines())
