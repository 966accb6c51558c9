"""What a plan does not run as its lab file says: it is cut short, stood in for or left out."""

from siffra.lab.plan.plan import Plan
from siffra.report.text.messages import Words


def shortened(words: Words, plan: Plan) -> str:
    """`Training is shortened from 20 epochs to 3 by preset quick; --preset full runs all.`

    Empty where everything is run as the lab file says.
    """
    told = [_cut(words, plan)] if plan.cut_from or _is_of_old(plan) else []
    told += [words("shortened.stand_in", old=old, new=new) for old, new in plan.stand_ins.items()]
    if plan.left_out:
        ids = words.listing(plan.left_out)
        told.append(words("shortened.left_out", preset=plan.preset, ids=ids))
    return " ".join(told)


def _cut(words: Words, plan: Plan) -> str:
    assert plan.epochs is not None
    by = f"--epochs {plan.epochs}" if plan.exact else words("shortened.by", preset=plan.preset)
    if not plan.cut_from:
        return words("shortened.at_most", epochs=plan.epochs, by=by)
    own = "–".join(words.exact(n) for n in dict.fromkeys((plan.cut_from[0], plan.cut_from[-1])))
    return words("shortened.cut", own=own, epochs=plan.epochs, by=by)


def _is_of_old(plan: Plan) -> bool:
    """Whether it was kept by a siffra that did not note how long the lab file's runs are."""
    known = any(level.lengths for question in plan.questions for level in question.levels)
    known |= any(experiment.length is not None for experiment in plan.experiments)
    return plan.epochs is not None and not plan.ad_hoc and not known
