"""The page `docs/method.md`, from a study."""

import textwrap

from benchmarks.method import sections
from benchmarks.method.sections import Study


def page(study: Study) -> str:
    """The page as Markdown."""
    parts = [
        _HEAD,
        _VERDICTS,
        _WORDS,
        sections.summary(study),
        _HOW_TESTED,
        sections.why(study.order),
        _METHOD,
        sections.errors(study),
        sections.orders(study.orders),
        sections.sentences(study.sentences),
        sections.mixed(study.mixed),
        sections.limits(study),
        sections.power(study),
        sections.peers(study.peers),
        sections.coverage(study.coverage),
        sections.table_of_runs(study.runs),
    ]
    return filled("\n\n".join(parts)) + "\n"


_HEAD = """# How siffra decides, and how often it is wrong

siffra answers a claim, such as "the convolutional network is better on moved images", with a
verdict, and says how sure it is:"""

_SHOWN = (
    "It is *shown*. In at most 5 of 100 labs is any of the verdicts that are shown wrong: not 5 of "
    "100 verdicts, but 5 of 100 whole labs."
)
_LIKELY = (
    "The runs point that way, but in a lab with as many claims chance alone may look like that. Of "
    "100 verdicts, shown and likely together, at most 5 are expected to be wrong."
)
_OPEN = (
    'These runs do not say. That is not "no difference": more seeds may decide it, and the report '
    "says about how many."
)
_VERDICTS = sections.table(
    ["siffra says", "that means"],
    [
        ["**supported**, **refuted**, **no difference**", _SHOWN],
        ["**likely** supported, likely refuted, …", _LIKELY],
        ["**open** (*inconclusive*)", _OPEN],
    ],
)

_WORDS = """*No difference* means: less than the claim's margin, the smallest difference that
matters (by default 0.2 points on test images, 1 point on shifted ones, 5 % of a time). A *seed* is
one training with random draws of its own; a claim is judged by the same seeds of all levels that it
compares."""

_HOW_TESTED = """*`make method ARGS=--write` generates this page, with every figure on it, in under
an hour on two cores.* The labs on it are made up: their runs are drawn from distributions, or
resampled from a table of real MNIST runs, so that what is true of them is known. What is made of
the runs is the work of siffra's own functions; for the tables of errors also of a twin, which
agrees with them and is faster."""


_METHOD = """## The procedure

**Pairs.** Levels are compared seed by seed: accuracies as differences, times and epochs as ratios
(on the log scale). The mean difference gets a t test and a t interval (Student 1908). Its standard
deviation is never taken to be smaller than what counting whole images can hide (Sheppard 1898).
*No difference* is the two one-sided tests of Schuirmann (1987). No verdict is given by fewer than
five pairs, nor by fewer than seven where any accuracies differ by more than 20 points; where the
differences are spread over more than that, as where some runs stop halfway, the t test takes one
pair of difference 0 more. Shared seeds are no cure for noise: after long training two levels' runs
of one seed hardly correlate.

**Collapse and divergence.** A run *collapses* that gives 99 % of the test images one class; it
*diverges* when its loss, or what it predicts, is not finite. Claims about accuracy and about its
drop are judged over the pairs in which both runs train. Where any run failed to, the numbers that
failed are compared as well, by Fisher's exact test (1934), and each of the two tests gets half of
the alpha. If they contradict each other (the level that trains better fails more often), the claim
stays open. *No difference* is never given where a run failed, and always with a bound on how many
might (Clopper and Pearson 1934). A target not reached before divergence counts as never reached.

**Against a number** there are no pairs, and a t interval of skewed values errs; the median run is
judged instead, by the exact sign test.

**Looks.** A claim is judged at 5, 7, 10, 14, 20, 28 and 40 seeds (80 with `--max-seeds 80`) until
it is shown, each claim when its own levels have the seeds. By the time that a share t of the last
look's seeds is there, a share t^1.5 of its alpha is spent (Lan and DeMets 1983). What has been seen
by a look is the *sequential p-value*: the smallest alpha that would have rejected the hypothesis by
now (Liu and Anderson 2008). It only falls, and stopping for any reason leaves it valid, so asking
again never buys a second chance. With `--seeds N` there is one look. The bounds are exact for
normal scores and are applied to the p-values of t and exact tests.

**Shown.** All claims of one author are a family. Their sequential p-values share 4 % for
differences and 1 % for *no difference*, each by Holm's procedure (1979; Maurer and Bretz 2013), so
that in at most 5 % of labs anything shown is wrong. A claim is decided at the first look at which
either hypothesis is rejected; *no difference* goes first.

**Likely.** Benjamini and Hochberg's procedure (1995) at 5 % on the smaller of a claim's two
p-values: at most one of its two hypotheses can be true, so that at most 5 % of all verdicts are
expected to be wrong.

**Times** are measured apart from the runs, by turns: see [the lab file](labs.md).

**Retuned knobs** are chosen by validation on five tuning seeds, which are not judged; the verdict
is about the values chosen, and names them. (Were they chosen on the seeds that are judged, the luck
of the choice would be in the score.)

**Two knobs.** "The best learning rate depends on the batch size" is shown if every learning rate
loses to another one at some batch size, each by an interval adjusted for all places where that
could have seemed so; "it does not" is shown if one rate is within the margin of the best at every
batch size (Berger 1982, Gail and Simon 1985). Both are judged on validation, in a family of their
own.

**Censoring.** A run that never reaches its target counts as slower than its length: a bound, which
opens the interval on that side. If neither side reaches the target in some seed, the claim stays
open."""


def filled(text: str) -> str:
    """Paragraphs filled anew: the figures in them are not as long as what stands for them."""
    return "\n\n".join(_filled(block) for block in text.split("\n\n"))


def _filled(block: str) -> str:
    if block.startswith(("|", "#", "!")):
        return block
    if block.startswith("- "):
        items = (" ".join(item.split()) for item in block.removeprefix("- ").split("\n- "))
        return "\n".join(
            textwrap.fill(
                item,
                100,
                initial_indent="- ",
                subsequent_indent="  ",
                break_long_words=False,
                break_on_hyphens=False,
            )
            for item in items
        )
    return textwrap.fill(block, 100, break_long_words=False, break_on_hyphens=False)
