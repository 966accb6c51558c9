"""A lab file to start from: one question with a claim for each level, and what to change in it."""

from collections.abc import Mapping, Sequence

from siffra.config.toml_text import toml_value
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.errors import ConfigError
from siffra.lab.plan.plan import Claim, Level
from siffra.lab.plan.planning import plan_vary

_HEAD = """\
# A lab to start from. Run it with `siffra lab {name}`; `siffra lab {name} --dry-run` says what it
# costs. Change the claims to what you expect: the runs will say whether it is so.
# The format is described in docs/labs.md.
"""


def starter_lab(
    ask: str,
    vary: Mapping[str, Sequence[object]],
    fixed: Mapping[str, object],
    dataset: Dataset,
    *,
    name: str = "lab.toml",
    data: DataSource | None = None,
) -> str:
    """The text of a lab file that asks what the knobs in `vary` do.

    Args:
        ask: The question, as it is to stand there.
        vary: The values to try, by knob.
        fixed: The knobs that all levels share.
        dataset: What the lab will be trained on; levels that it does not allow are refused.
        name: What the file will be called.
        data: Where `dataset` is from, if it is not MNIST.

    Raises:
        ConfigError: A knob or a value is wrong, there is nothing to compare, or no question.
    """
    if not ask.strip():
        raise ConfigError('ask: found an empty question; write one, as "Does dropout help?".')
    (question,) = plan_vary(vary, fixed, dataset).questions
    path = data.path if data else None
    lines = [_HEAD.format(name=name), f"title = {toml_value(ask)}", ""]
    lines += ["[data]", f"path = {toml_value(str(path))}", ""] if path else []
    lines += ["[base]  # what all questions share"]
    lines += [f"{knob} = {toml_value(value)}" for knob, value in fixed.items()]
    lines += ["" if fixed else "# epochs = 5", *([] if fixed else [""])]
    lines += [
        "[[questions]]",
        'id = "a"',
        f"ask = {toml_value(ask)}",
        f"vary = {toml_value({knob: list(values) for knob, values in vary.items()})}",
    ]
    for number, claim in enumerate(question.claims, start=1):
        lines += ["", *_claim(claim, question.levels, f"a{number}", is_first=number == 1)]
    return "\n".join(lines) + "\n"


def _claim(claim: Claim, levels: Sequence[Level], name: str, *, is_first: bool) -> list[str]:
    """A claim; what may stand in its place is said at the first one."""
    assert isinstance(claim.against, tuple)
    directions = "  # or worse, same, not better, not worse" if is_first else ""
    margin = "  # the smallest difference that matters: 0.2 percentage points" if is_first else ""
    return [
        "[[questions.claims]]",
        f"id = {toml_value(name)}",
        f"say = {toml_value(claim.say['en'])}",
        f"level = {toml_value(levels[claim.level[0]].knobs)}",
        f"against = {toml_value(levels[claim.against[0]].knobs)}",
        f"direction = {toml_value(claim.direction)}{directions}",
        f"margin = {toml_value(claim.margin)}{margin}",
    ]
