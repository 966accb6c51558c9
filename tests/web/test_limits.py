"""A field that cannot be used is named, with its limits, in a sentence of the reader's language."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siffra.config import KNOBS, Setting, choices
from siffra.errors import ConfigError
from siffra.web.limits import EPOCHS, fault, limits_of
from siffra.web.pages import page_words

EN, SV = page_words("en"), page_words("sv")
NUMBERS = [name for name, knob in KNOBS.items() if knob.type is not bool and not choices(name)]


def asked(**changes):
    return {"vary": {"learning_rate": [0.1, 0.5]}, "fixed": {}, "seeds": 5} | changes


def told(question, words=EN) -> tuple[str, object, str]:
    refusal = fault(question, words)
    assert refusal is not None
    return refusal.code, refusal.about["knob"], refusal.why


def test_a_question_within_its_limits_has_no_fault():
    assert fault(asked(), EN) is None
    assert fault(asked(vary={"neurons": [[4, 8], 16], "batch_norm": [True, False]}), EN) is None
    assert fault(asked(fixed={"model": "conv", "optimizer": "adam", "epochs": 0.5}), EN) is None


@pytest.mark.parametrize(
    ("changes", "code", "knob", "english", "swedish"),
    [
        ({"vary": {"learning_rate": [-1.0, 1]}}, "out_of_range", "learning_rate",
         "learning rate: a number, greater than 0.", "inlärningshastighet: ett tal, större än 0."),
        ({"vary": {"learning_rate": ["abc", 1]}}, "out_of_range", "learning_rate",
         "learning rate: a number, greater than 0.", "inlärningshastighet: ett tal, större än 0."),
        ({"vary": {"neurons": [4, 0]}}, "out_of_range", "neurons",
         "neurons: a whole number, 1 to 1000000.", "neuroner: ett heltal, 1 till 1000000."),
        ({"vary": {"neurons": [4, [8, 2.5]]}}, "out_of_range", "neurons",
         "neurons: a whole number, 1 to 1000000.", "neuroner: ett heltal, 1 till 1000000."),
        ({"fixed": {"epochs": 1001}}, "out_of_range", "epochs",
         "epochs: a number, greater than 0 and at most 1000.",
         "epoker: ett tal, större än 0 och högst 1000."),
        ({"vary": {"learning_rate": [0.5]}}, "few_levels", "learning_rate",
         "learning rate: enter at least two values.",
         "inlärningshastighet: ange minst två värden."),
        ({"vary": {"learning_rate": []}}, "few_levels", "learning_rate",
         "learning rate: enter at least two values.",
         "inlärningshastighet: ange minst två värden."),
        ({"vary": {"neurons": list(range(1, 62))}}, "many_levels", "neurons",
         "neurons: enter at most 60 values.", "neuroner: ange högst 60 värden."),
        ({"seeds": 0}, "out_of_range", "seeds", "seeds: a whole number, 1 to 100.",
         "frön: ett heltal, 1 till 100."),
        ({"seeds": ""}, "out_of_range", "seeds", "seeds: a whole number, 1 to 100.",
         "frön: ett heltal, 1 till 100."),
        ({"fixed": {"optimizer": "adm"}}, "no_choice", "optimizer",
         "optimizer: one of sgd, momentum, nesterov, rmsprop, adam, adamw, muon.",
         "optimerare: något av sgd, momentum, nesterov, rmsprop, adam, adamw, muon."),
        ({"vary": {"batch_norm": [True, 2]}}, "no_choice", "batch_norm", None, None),
    ],
)  # fmt: skip
def test_the_first_fault_is_told_by_its_field(changes, code, knob, english, swedish):
    for words, sentence in ((EN, english), (SV, swedish)):
        found = told(asked(**changes), words)
        assert found[:2] == (code, knob)
        if sentence:
            assert found[2].lower() == sentence


def test_too_many_runs_are_told_with_their_number():
    question = asked(vary={"neurons": list(range(1, 51))}, seeds=50)
    assert told(question) == (
        "many_runs",
        "seeds",
        "That is 2500 runs, and the page allows at most 2000 at a time: use fewer values or seeds.",
    )


@pytest.mark.parametrize("knob", NUMBERS)
def test_the_limits_are_those_that_the_setting_itself_has(knob):
    """What is said to be just within them is taken, and what is just outside is not."""
    limits = limits_of(knob)
    step = 1 if limits.whole else 1e-9
    needed = {
        "momentum": {"optimizer": "momentum"}, "weight_decay": {"optimizer": "sgd"},
        "augment_move": {"augment": "move"}, "augment_rotate": {"augment": "rotate"},
        "augment_clean": {"augment": "shifts"}, "augment_jitter": {"augment": "shifts"},
        "filters": {"model": "conv"}, "kernel_size": {"model": "conv"},
        "strides": {"model": "conv"}, "pool_size": {"model": "conv"},
        "space_to_depth": {"model": "conv"}, "conv_layers": {"model": "conv"},
        "layers": {"model": "conv"}, "warmup": {"schedule": "one_cycle"},
        "step_every": {"schedule": "step"}, "step_factor": {"schedule": "step"},
    }.get(knob, {})  # fmt: skip

    def is_taken(value) -> bool:
        try:
            Setting.from_knobs({**needed, knob: value})
        except ConfigError:
            return False
        return True

    bottom = limits.least if limits.least is not None else limits.above
    top = limits.most if limits.most is not None else limits.below
    assert bottom is not None
    assert top is not None
    # 0 is what these are where they are not used.
    is_off_at_zero = knob in ("momentum", "step_every", "step_factor")
    assert is_taken(bottom + step if limits.least is None else bottom) or is_off_at_zero
    assert not is_taken(bottom - step)
    if knob != "epochs":  # which the page asks for fewer of
        assert is_taken(top - step if limits.most is None else top)
        assert not is_taken(top * 1.01 if not limits.whole else top + 1)
    else:
        assert limits.most == EPOCHS


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)


@given(
    vary=st.dictionaries(st.sampled_from([*KNOBS, "x"]), values, max_size=3) | values,
    fixed=st.dictionaries(st.sampled_from([*KNOBS, "x"]), values, max_size=3) | values,
    seeds=values,
)
def test_whatever_is_typed_gets_a_fault_or_none_and_never_comes_back(vary, fixed, seeds):
    secret = {"vary": vary, "fixed": fixed, "seeds": seeds, "<script>": "<script>"}
    refusal = fault(secret, SV)
    assert refusal is None or refusal.about["knob"] in (*KNOBS, "seeds")
    assert "<script>" not in json.dumps(refusal.body if refusal else {})
