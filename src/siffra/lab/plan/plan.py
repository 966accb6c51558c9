"""A plan: a lab's questions, their claims, and the runs that answer them."""

import itertools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from siffra.config import ExternalModel, Setting
from siffra.config.metrics import METRICS, Metric
from siffra.data.load import DataSource
from siffra.data.notes import Note

Text = Mapping[str, str]
"""A text by language (`en`, `sv`); one that lacks a language is shown in one that it has."""

Direction = Literal["better", "worse", "same", "not better", "not worse"]
Figure = Literal[
    "curves", "levels", "heatmap", "confusion", "classes",
    "shifts", "map", "mistakes", "calibration", "weights",
]  # fmt: skip
EXAMINED: frozenset[Figure] = frozenset({"shifts", "map", "mistakes", "calibration", "weights"})
"""The figures that rest on an examination of the networks, not on the runs' records."""


@dataclass(frozen=True, slots=True)
class Level:
    """One combination of the varied knobs.

    `knobs` holds the varied knobs only; a level of one model may lack knobs that are varied for
    the other. `settings` has one entry, or one for each combination of the question's retuned
    knobs. `reported` is what the lab's author reported at this level: fractions by set, and
    `seconds`. `lengths` has the epochs that the lab file says of each setting, whatever the plan
    made of them (none: not known, as of an ad-hoc question, which nothing cuts). `name` is what the
    lab file calls it, if anything.
    """

    knobs: Mapping[str, Any]
    settings: tuple[Setting, ...]
    reported: Mapping[str, float]
    lengths: tuple[int | float, ...] = ()
    name: Text = field(default_factory=dict)

    @property
    def is_external(self) -> bool:
        """Whether its training is none that siffra does itself, nor are the knobs."""
        return any(isinstance(setting.model, ExternalModel) for setting in self.settings)

    @property
    def cut(self) -> tuple[tuple[int | float, int | float], ...]:
        """Of each setting that the plan has cut short, its epochs and those of the lab file."""
        pairs = zip((s.training.epochs for s in self.settings), self.lengths, strict=False)
        return tuple((now, own) for now, own in pairs if now < own)


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement that can be put to the test.

    It says that the `metric` of `level` is better, worse or the same as that of `against`. Both
    are indices into the question's levels, whose metrics are averaged within a seed; `against`
    may be a number instead, in the metric's own unit.

    - `accuracy`: fraction on the set `on` after the last epoch (more is better);
    - `drop`: accuracy on test minus accuracy on the set `on` (less is better);
    - `decline`: accuracy on `on`, mean over the first fifth of the epochs (one at least) minus mean
      over the last: how much is lost by training on (less is better);
    - `collapse`: whether the run fails to train, so that levels are compared by the share of those
      that do (less is better);
    - `seconds`: training time (less is better);
    - `seconds_to`, `epochs_to`: until accuracy on `on` first reaches `target` (less is better).

    Or it is a metric that the plan itself has `named`, of trainings that siffra does not do; `on`
    is then empty, and a `margin` of 0 says that there is none.

    What `level` is compared with may be moved: it is what `against` has times `times`, for a
    metric that is compared as a ratio (0.4: 60 % less), or plus `plus`, for the others.

    `better` and `worse` say that there is a difference, `same` that there is none as large as the
    margin; `not worse` and `not better` leave open whether there is one in the other direction.

    `margin` is the smallest difference that matters: a fraction, or for times and epochs a
    share (0.05: 5 %). `epochs` is the length of training that the claim is about, 1 if that is
    any; plans that train for less do not test it. `reported` is the author's own figure, in words.
    `by` is whose claim it is, if not the question's author's.
    """

    id: str
    say: Text
    metric: str
    on: str
    target: float | None
    level: tuple[int, ...]
    against: tuple[int, ...] | float
    direction: Direction
    margin: float
    epochs: int | float
    reported: Text
    times: float = 1.0
    plus: float = 0.0
    by: Text = field(default_factory=dict)
    named: Metric | None = None

    @property
    def measured(self) -> Metric:
        """The metric, of a plan's own or of siffra's."""
        return self.named or METRICS[self.metric]

    @property
    def is_timed(self) -> bool:
        """Whether it is about training times that siffra measures by turns."""
        return self.named is None and self.measured.unit == "seconds"


@dataclass(frozen=True, slots=True)
class Searched:
    """The search that a question's levels come from, the first of which it has chosen.

    `space` has what was searched of each knob: a range as it is typed, or a list of values. The
    knobs in `log` were searched on a logarithmic scale. Its `runs` are single ones: `failed` of
    them have no value, and `best` is the best value of the others. The `finalists` were run again,
    to choose among them. `baseline` has the knobs of what the user named as such, if anything.
    """

    space: Mapping[str, Any]
    log: tuple[str, ...]
    runs: int
    failed: int
    best: float
    finalists: int
    baseline: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """What a knob does. `fixed` holds every knob that all levels share; see also `fixed_at`.

    `by` is whose its claims are, if they are not the lab author's. `metrics` are those of trainings
    that siffra does not do itself, the main one first (none: accuracy by set, and time). `search`
    is where the levels come from, if they were searched for.
    """

    id: str
    ask: Text
    note: Text
    vary: tuple[str, ...]
    retune: tuple[str, ...]
    fixed: Mapping[str, Any]
    levels: tuple[Level, ...]
    claims: tuple[Claim, ...]
    figures: tuple[Figure, ...]
    by: Text = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    search: Searched | None = None

    @property
    def is_external(self) -> bool:
        """Whether it is about trainings that siffra does not do itself."""
        return any(level.is_external for level in self.levels)

    def author_of(self, claim: Claim) -> Text:
        """Whose this `claim` of the question is; none: the lab author's."""
        return claim.by or self.by

    def is_checked(self, claim: Claim) -> bool:
        """Whether a script is to know what becomes of it: the second of a search is no baseline."""
        baseline = self.search.baseline if self.search else None
        if not baseline:
            return True
        against = claim.against if isinstance(claim.against, tuple) else ()
        return any(self.levels[index].knobs == baseline for index in against)

    def fixed_at(self, level: Level) -> dict[str, Any]:
        """The knobs that `level` holds fixed besides, and not all levels: a dense one's neurons."""
        away = {*level.knobs, *self.retune, *self.fixed}
        shared = shared_knobs(level.settings)
        return {knob: value for knob, value in shared.items() if knob not in away}


@dataclass(frozen=True, slots=True)
class Experiment:
    """A setting that the lab's author ran, with what was reported: fractions and `seconds`.

    `length` is the number of epochs that the lab file says, see `Level.lengths`, and `metrics` are
    as those of a question.
    """

    id: str
    name: Text
    note: Text
    setting: Setting
    reported: Mapping[str, float]
    length: int | float | None = None
    metrics: tuple[Metric, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run to be made, and whether its network is to be examined as well."""

    setting: Setting
    seed: int
    examine: bool = False


@dataclass(frozen=True, slots=True)
class PlannedTiming:
    """One round in which the training of these `settings` is timed by turns.

    Rounds of the same settings are counted from 0, as seeds are.
    """

    settings: tuple[Setting, ...]
    round: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A lab, ready to be run.

    `epochs` is the cap that the preset puts on every run (None: each as its own setting says),
    or, if `exact`, what was asked for in its place. `only` has the ids of the parts that were
    picked (none: all). `digest` is the SHA-256 (hex) of the lab file. An
    `ad_hoc` plan has none: it is one question, asked on the command line or the page. `data` is
    that of an ad-hoc question (None: not said, or in the lab file). `examines` says whether any
    network is examined: those of the experiments and of the questions with a figure in `EXAMINED`.
    `engine` is the name that makes what trains the runs.
    `looks` are the numbers of seeds at which each claim is judged, growing, until it is decided
    (none: once, at the end); `seeds` then are those of the first look. `time` is the budget for
    that, in seconds of training on this machine (None: none). Retuned knobs are chosen on
    `tuning_seeds`, whose runs are not judged.
    Of long trainings at a constant rate it judges the mean accuracy over the last tenth of the
    epochs, if it `averages`, and not that of the last one.
    Runs of different levels with the same seed are compared in pairs, if they are `paired`. The
    results of a plan may be `given`: then it makes no runs, and `seeds` are all that there are;
    `notes` say what the table of them was taken for, and `caveats` what may mislead in it. `again`
    has further words for the command that asks an ad-hoc question again.
    `author`, `course` and `date` are what the lab file says of itself, if anything.
    `stand_ins` has the recipes that the preset put in the place of others, by those, and `left_out`
    the ids of the questions and experiments that it leaves out.
    """

    title: Text
    source: str
    digest: str
    preset: str
    epochs: int | None
    seeds: tuple[int, ...]
    questions: tuple[Question, ...]
    experiments: tuple[Experiment, ...]
    exact: bool = False
    only: tuple[str, ...] = ()
    data: DataSource | None = None
    examines: bool = True
    engine: str = "native"
    looks: tuple[int, ...] = ()
    time: float | None = None
    tuning_seeds: tuple[int, ...] = ()
    averages: bool = False
    paired: bool = True
    given: bool = False
    notes: tuple[Note, ...] = ()
    caveats: tuple[Note, ...] = ()
    again: tuple[str, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    ad_hoc: bool = False
    author: Text = field(default_factory=dict)
    course: Text = field(default_factory=dict)
    date: str = ""

    @property
    def is_external(self) -> bool:
        """Whether siffra does none of its trainings itself; it does all of them, or none."""
        of_levels = (setting for level in self._levels for setting in level.settings)
        settings = itertools.chain(of_levels, (e.setting for e in self.experiments))
        return any(isinstance(setting.model, ExternalModel) for setting in settings)

    @property
    def cut_from(self) -> tuple[int | float, ...]:
        """The numbers of epochs, in order, that the lab file says of runs that are cut short."""
        lengths = {
            lengths for q in self.questions for level in q.levels for _, lengths in level.cut
        }
        for experiment in self.experiments:
            length = experiment.length
            if length is not None and experiment.setting.training.epochs < length:
                lengths.add(length)
        return tuple(sorted(lengths))

    @property
    def runs(self) -> tuple[PlannedRun, ...]:
        """The runs that are made whatever they show, each once, seed by seed.

        Those are all settings with each of the `seeds`; where knobs are retuned, with the tuning
        seeds instead, as it is not known yet which setting will be chosen. The order is random
        within each seed. It is drawn from the digest and the seed, so that it is the same every
        time.
        """
        judged = self._settings
        if self.tuning_seeds:
            fixed = self._fixed
            judged = [setting for setting in judged if setting in fixed]
        return self.runs_of(judged, self.seeds) + self.runs_of(self._candidates, self.tuning_seeds)

    @property
    def possible_runs(self) -> tuple[PlannedRun, ...]:
        """Every run that the lab may come to need, up to its last look."""
        seeds = range(self.looks[-1]) if self.looks else self.seeds
        return self.runs_of(self._settings, seeds) + self.runs_of(
            self._candidates, self.tuning_seeds
        )

    def runs_of(self, settings: Sequence[Setting], seeds: Sequence[int]) -> tuple[PlannedRun, ...]:
        """The runs of these of its settings, seed by seed, each seed in an order of its own.

        Networks are examined with the `seeds` of the first look: as many as figures are made of.
        """
        examined = self._examined
        runs: list[PlannedRun] = []
        for seed in seeds:
            is_examined = seed in self.seeds
            block = [PlannedRun(s, seed, is_examined and s in examined) for s in settings]
            random.Random(f"{self.digest}:{seed}").shuffle(block)
            runs += block
        return tuple(runs)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What every run must measure, of trainings that siffra does not do itself."""
        asked = (part.metrics for part in (*self.questions, *self.experiments))
        return tuple(dict.fromkeys(metric.name for each in asked for metric in each))

    @property
    def _settings(self) -> list[Setting]:
        of_levels = [setting for level in self._levels for setting in level.settings]
        return list(dict.fromkeys(of_levels + [e.setting for e in self.experiments]))

    @property
    def _levels(self) -> list[Level]:
        return [level for question in self.questions for level in question.levels]

    @property
    def _fixed(self) -> set[Setting]:
        """The settings that some level or experiment has, whatever is chosen elsewhere."""
        alone = {level.settings[0] for level in self._levels if len(level.settings) == 1}
        return alone | {experiment.setting for experiment in self.experiments}

    @property
    def _candidates(self) -> list[Setting]:
        """The settings among which levels choose."""
        tuned = [level for level in self._levels if len(level.settings) > 1]
        return list(dict.fromkeys(setting for level in tuned for setting in level.settings))

    @property
    def _examined(self) -> set[Setting]:
        if not self.examines:
            return set()
        asked = [question for question in self.questions if EXAMINED & set(question.figures)]
        settings = {s for question in asked for level in question.levels for s in level.settings}
        return settings | {experiment.setting for experiment in self.experiments}


def shared_knobs(settings: Sequence[Setting]) -> dict[str, Any]:
    """The knobs that all of these have, and alike."""
    first, *others = [setting.knobs() for setting in settings]
    return {
        knob: value
        for knob, value in first.items()
        if all(knob in o and o[knob] == value for o in others)
    }
