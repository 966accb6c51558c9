"""What a lab file may say, and what it is told when it says something else."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siffra.errors import LabFileError
from siffra.lab.plan.labfile import read_lab

QUESTION = """
title = "t"
[[questions]]
id = "a"
ask = "?"
"""
CLAIM = (
    QUESTION
    + """
vary = { batch_size = [1, 2] }
[[questions.claims]]
id = "c"
say = "!"
"""
)
JUDGED = """
level = { batch_size = 1 }
against = { batch_size = 2 }
direction = "better"
"""


@pytest.fixture
def written(tmp_path):
    """Writes a lab file, and reads it."""

    def write(content: str | bytes):
        path = tmp_path / "my.toml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_lab(path)

    return write


def told(written, content: str | bytes) -> str:
    """The one line that a user is told about a lab file with a mistake."""
    with pytest.raises(LabFileError) as error:
        written(content)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_question_says_whose_its_claims_are_or_nothing(written):
    (plain,) = written(QUESTION + "vary = {layers = [1, 2]}").questions
    (named,) = written(QUESTION + 'by = "us"\nvary = {layers = [1, 2]}').questions

    assert plain.by is None
    assert named.by == {"en": "us"}
    assert "questions[1].by" in told(written, QUESTION + 'by = ""\nvary = {layers = [1, 2]}')


def test_a_plain_text_has_one_language_and_a_table_several(written):
    lab = written(
        'title = {en = "x", sv = "y"}\n'
        + QUESTION.replace('title = "t"', "")
        + ("vary = {layers = [1, 2]}")
    )

    assert lab.title == {"en": "x", "sv": "y"}
    assert lab.questions[0].ask == {"en": "?"}


@pytest.mark.parametrize("date", ["2026-11-30", '"2026-11-30"'])
def test_a_lab_says_whose_it_is_and_of_when(written, date):
    lab = written(
        f'author = "Ada"\ncourse = {{ en = "CS 1", sv = "DA 1" }}\ndate = {date}\n' + CLAIM + JUDGED
    )

    assert lab.author == {"en": "Ada"}
    assert lab.course == {"en": "CS 1", "sv": "DA 1"}
    assert lab.date == "2026-11-30"
    assert (written(CLAIM + JUDGED).author, written(CLAIM + JUDGED).date) == ({}, "")
    assert "date: found 5; it must be" in told(written, "date = 5\n" + CLAIM + JUDGED)


def test_data_are_looked_for_beside_the_lab_file(written, tmp_path):
    lab = written(QUESTION + "vary = {layers = [1, 2]}\n[data]\npath = 'x.npz'\nmoved = 3")

    assert lab.data.path == tmp_path / "x.npz"
    assert lab.data.moved == 3.0


def test_the_digest_is_of_the_file_s_bytes(written):
    text = QUESTION + "vary = {layers = [1, 2]}"

    assert written(text).digest == written(text).digest != written(text + " ").digest


def test_a_byte_order_mark_is_no_mistake(written):
    assert written(b"\xef\xbb\xbf" + (QUESTION + "vary = {layers = [1, 2]}").encode()).source


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            QUESTION + "vary = { bacth_size = [1, 2] }",
            "my.toml: questions[1].vary.bacth_size: no such knob; did you mean `batch_size`?",
        ),
        (
            QUESTION + "vary = { layers = [1, 2] }\nnoet = 'x'",
            "my.toml: questions[1].noet: no such key; did you mean `note`?",
        ),
        (
            QUESTION + "vary = { layers = [1, 2] }\n[data]\nmooved = 3",
            "my.toml: data.mooved: no such key; did you mean `moved`?",
        ),
        (
            QUESTION + "vary = { layers = [1, 2] }\n[presets.quik]\nepochs = 3",
            "my.toml: presets.quik: no such key; did you mean `quick`?",
        ),
        (
            QUESTION + "vary = { layers = [1, 2] }\n[presets.quick]\nseeds = 0",
            "my.toml: presets.quick.seeds: found 0; it must be at least 1.",
        ),
        ("title = 't'", "my.toml: the lab is empty: it needs `[[questions]]` or"),
        (QUESTION, "my.toml: questions[1]: it needs `vary` or `levels`."),
        (
            QUESTION + "vary = {layers = [1, 2]}\nlevels = [{layers = 1}, {layers = 2}]",
            "my.toml: questions[1]: it has both `vary` and `levels`; remove one of them.",
        ),
        (QUESTION + "vary = { layers = [] }", "my.toml: questions[1].vary.layers: found []; "),
        (
            QUESTION + "vary = {}",
            "my.toml: questions[1].vary: found an empty table; it needs one entry at least.",
        ),
        (QUESTION + "vary = { layers = 3 }", "my.toml: questions[1].vary.layers: found 3; "),
        (QUESTION + "vary = { layers = [3] }", "my.toml: questions[1]: there is only one level"),
        (
            QUESTION + "levels = [{ layers = 1, neurons = 2 }, { layers = 2 }]",
            "my.toml: questions[1]: levels[2] has no `neurons`, which other levels have.",
        ),
        (
            QUESTION + "levels = [{name = 'a', layers = 1}, {name = {sv = 'a'}, layers = 2}]",
            "my.toml: questions[1]: levels[1] and levels[2] are both called `a`.",
        ),
        (
            QUESTION + "levels = [{name = 3, layers = 1}, {layers = 2}]",
            "my.toml: questions[1].levels[1].name: found 3; it must be a quoted string, or a table",
        ),
        (
            QUESTION + "levels = [{name = 'a', layrs = 1}, {layers = 2}]",
            "my.toml: questions[1].levels[1].layrs: no such knob; did you mean `layers`?",
        ),
        (
            QUESTION + "levels = [{name = 'a'}, {layers = 2}]",
            "my.toml: questions[1].levels[1]: found an empty table; it needs one entry at least.",
        ),
        (
            QUESTION + "levels = [3, {layers = 2}]",
            "my.toml: questions[1].levels[1]: found 3; it must be a table.",
        ),
        (
            QUESTION + "vary = {layers = [1, 2]}\nfixed = {layers = 1}",
            "my.toml: questions[1]: `layers` is both varied and fixed.",
        ),
        (
            QUESTION + "vary = {layers = [1, 2]}\nretune = {layers = [1]}",
            "my.toml: questions[1]: `layers` is both varied and retuned.",
        ),
        (
            QUESTION + "vary = {layers = [1, 2]}\nretune = {recipe = ['digits-1s', 'digits-5s']}",
            "my.toml: questions[1].retune: a `recipe` sets every knob of a level, so it cannot "
            "be retuned; vary it, or retune its knobs.",
        ),
        (
            QUESTION + f"vary = {{layers = {list(range(1, 50))}, neurons = {list(range(1, 50))}}}",
            "my.toml: questions[1]: this makes 2,401 settings; at most 1,000 are allowed.",
        ),
        (
            QUESTION + "vary = {layers = [1, 2]}\nfigures = ['heatmap']",
            "my.toml: questions[1]: a heatmap needs two varied knobs, found 1.",
        ),
        (
            QUESTION + "vary = {layers = [1, 2]}\nfigures = ['curve']",
            "my.toml: questions[1].figures[1]: found 'curve'; did you mean `curves`?",
        ),
        (
            QUESTION.replace('"a"', '"experiments"') + "vary = {layers = [1, 2]}",
            "my.toml: questions[1]: the id `experiments` is reserved for the lab's experiments.",
        ),
        (
            QUESTION.replace('"a"', '"Experiments"') + "vary = {layers = [1, 2]}",
            "my.toml: questions[1]: the id `Experiments` is reserved for the lab's experiments.",
        ),
        (
            QUESTION.replace('"a"', '"a_b"')
            + "vary = {layers = [1, 2]}\n"
            + QUESTION.replace('title = "t"', "").replace('"a"', '"A-B"')
            + "vary = {layers = [1, 2]}",
            "my.toml: the figures of questions `a_b` and `A-B` would be the same files; ",
        ),
        (
            QUESTION.replace('"?"', r'"\u001b]52;c;aGk=\u0007?"') + "vary = {layers = [1, 2]}",
            "my.toml: questions[1].ask: found the character U+001B, which is not allowed.",
        ),
        (
            QUESTION.replace('"?"', r'{sv = "\u202e89?"}') + "vary = {layers = [1, 2]}",
            "my.toml: questions[1].ask.sv: found the character U+202E, which is not allowed.",
        ),
        (
            QUESTION.replace('"a"', '"../a"') + "vary = {layers = [1, 2]}",
            "my.toml: questions[1].id: found '../a'; ",
        ),
        (
            QUESTION.replace('"?"', '{de = "?"}') + "vary = {layers = [1, 2]}",
            "my.toml: questions[1].ask.de: no such language; known: en, sv.",
        ),
        (
            QUESTION
            + "vary = {layers = [1, 2]}\n"
            + QUESTION.replace('title = "t"', "")
            + "vary = {layers = [1, 2]}",
            "my.toml: 2 questions have the id `a`.",
        ),
        (CLAIM, "my.toml: questions[1].claims[1].level: it is missing."),
        (
            CLAIM + JUDGED + 'metric = "acuracy"',
            "my.toml: questions[1].claims[1].metric: found 'acuracy'; did you mean `accuracy`?",
        ),
        (
            CLAIM + JUDGED + 'on = "tset"',
            "my.toml: questions[1].claims[1].on: found 'tset'; did you mean `test`?",
        ),
        (
            CLAIM + JUDGED.replace("better", "beter"),
            "my.toml: questions[1].claims[1].direction: found 'beter'; did you mean `better`?",
        ),
        (
            CLAIM + JUDGED + 'metric = "epochs_to"',
            "my.toml: questions[1].claims[1]: metric `epochs_to` needs a `target`.",
        ),
        (
            CLAIM + JUDGED + "target = 0.9",
            "my.toml: questions[1].claims[1]: metric `accuracy` has no `target`.",
        ),
        (
            CLAIM + JUDGED + "metric = 'drop'",
            "my.toml: questions[1].claims[1]: metric `drop` is from test to another set",
        ),
        (
            CLAIM + JUDGED.replace("{ batch_size = 2 }", "[2]"),
            "my.toml: questions[1].claims[1].against[1]: found 2; it must be a table.",
        ),
        (
            CLAIM + JUDGED.replace("{ batch_size = 2 }", "{ bacth_size = 2 }"),
            "my.toml: questions[1].claims[1].against[1].bacth_size: no such knob; did you mean",
        ),
        (
            CLAIM + JUDGED.replace("better", "not beter"),
            "my.toml: questions[1].claims[1].direction: found 'not beter'; did you mean "
            "`not better`?",
        ),
        (
            CLAIM + JUDGED + "times = 0.4",
            "my.toml: questions[1].claims[1]: metric `accuracy` is compared as a difference: use "
            "`plus`, not `times`.",
        ),
        (
            CLAIM + JUDGED + "metric = 'seconds'\nplus = -0.01",
            "my.toml: questions[1].claims[1]: metric `seconds` is compared as a ratio: use "
            "`times`, not `plus`.",
        ),
        (
            CLAIM + JUDGED + "metric = 'seconds'\ntimes = 0.4\nplus = -0.01",
            "my.toml: questions[1].claims[1]: metric `seconds` is compared as a ratio: use "
            "`times`, not `plus`.",
        ),
        (
            CLAIM + JUDGED.replace("{ batch_size = 2 }", "9") + "metric = 'seconds'\ntimes = 0.4",
            "my.toml: questions[1].claims[1]: `times` moves what a level has, but `against` is a "
            "number: move that instead.",
        ),
        (
            CLAIM + JUDGED.replace("{ batch_size = 2 }", "0.9") + "plus = 0.01",
            "my.toml: questions[1].claims[1]: `plus` moves what a level has, but `against` is a "
            "number: move that instead.",
        ),
        (
            CLAIM + JUDGED + "plus = -60",
            "my.toml: questions[1].claims[1].plus: found -60; it must be at least -1.",
        ),
        (
            CLAIM + JUDGED + "metric = 'seconds'\ntimes = 0",
            "my.toml: questions[1].claims[1].times: found 0; it must be above 0.",
        ),
        (
            CLAIM + JUDGED + "metric = 'collapse'\non = 'moved'",
            "my.toml: questions[1].claims[1]: metric `collapse` has no `on`: collapse is the same "
            "for all sets.",
        ),
        (
            CLAIM + JUDGED.replace("{ batch_size = 2 }", "0.1") + "metric = 'collapse'",
            "my.toml: questions[1].claims[1]: metric `collapse` compares levels: `against` must "
            "name one, as { neurons = 16 }.",
        ),
        (
            CLAIM + JUDGED.replace("better", "same") + "metric = 'collapse'",
            "my.toml: questions[1].claims[1]: metric `collapse` cannot be shown to be same; its "
            "direction is better or worse.",
        ),
        (
            CLAIM + JUDGED + "metric = 'collapse'\nmargin = 0.1",
            "my.toml: questions[1].claims[1]: metric `collapse` has no `margin`.",
        ),
        (
            CLAIM + JUDGED + "metric = 'collapse'\nplus = 0.1",
            "my.toml: questions[1].claims[1]: metric `collapse` has no `plus`.",
        ),
        (CLAIM + JUDGED + "by = ''", "my.toml: questions[1].claims[1].by.en: found ''; "),
        (
            QUESTION + "vary = { layers = [1, 2] }\n[presets.quick]\ntime = 'soon'",
            "my.toml: presets.quick.time: found 'soon'; use a duration such as 15s, 1m30s or 10m.",
        ),
        (
            QUESTION + "vary = { layers = [1, 2] }\n[presets.quick]\ntime = 0",
            "my.toml: presets.quick.time: found 0; it must be longer than 0 s, for example 15s.",
        ),
        (
            QUESTION + "vary = { layers = [1, 2] }\n[presets.quick]\ntime = true",
            "my.toml: presets.quick.time: found true; it must be a duration, ",
        ),
        (
            QUESTION + "vary = { layers = [1, 2] }\n[presets.quick]\ntime = '5m'\nseeds = 5",
            "my.toml: presets.quick: `seeds` fixes the number of seeds, `time` is a budget; give "
            "one of them.",
        ),
        (CLAIM + JUDGED + "margin = inf", "my.toml: questions[1].claims[1].margin: found inf; "),
        ("title = 't\n", "my.toml: not TOML: "),
        (b"title = 't'\nx = '\xff'", "my.toml: line 2 is not UTF-8 text."),
        ("x = " + "[" * 5000, "my.toml: "),
        ("x." * 5000 + "x = 1", "my.toml: "),
    ],
)
def test_a_mistake_is_told_by_file_and_key(written, content, expected):
    assert told(written, content).startswith(expected)


def test_toml_s_own_mistakes_have_a_line(written):
    assert "line 2" in told(written, "title = 't'\nx == 2")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(LabFileError, match=r"none\.toml: no such file\."):
        read_lab(tmp_path / "none.toml")


def test_a_folder(tmp_path):
    with pytest.raises(LabFileError, match="it is a folder; a lab file is a TOML file"):
        read_lab(tmp_path)


def test_a_device():
    if not Path("/dev/zero").exists():
        pytest.skip("no such device here")
    with pytest.raises(LabFileError, match="it is not a regular file"):
        read_lab(Path("/dev/zero"))


def test_a_huge_file(tmp_path):
    path = tmp_path / "huge.toml"
    path.write_bytes(b"#" * 1_000_001)

    with pytest.raises(LabFileError, match="larger than 1 MB"):
        read_lab(path)


# Any TOML value, of any shape.
VALUES = st.recursive(
    st.integers(-3, 3) | st.booleans() | st.just(0.5) | st.sampled_from(["a", "conv", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "ask", "layers", "en", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)
KEYS = ("title", "data", "base", "presets", "questions", "experiments")


@given(tables=st.dictionaries(st.sampled_from(KEYS), VALUES, min_size=1))
def test_whatever_a_file_says_it_is_read_or_refused(tmp_path_factory, tables):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_text("\n".join(f"{key} = {_toml(value)}" for key, value in tables.items()))

    try:
        read_lab(path)
    except LabFileError as error:
        told = str(error)
    else:
        told = "any.toml: nothing"

    assert told.startswith("any.toml: ")
    assert "\n" not in told


def _toml(value) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(v)}" for key, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return str(value).lower() if isinstance(value, bool) else repr(value)


@pytest.mark.parametrize(
    ("written_as", "seconds"),
    [("90", 90), ("1.5", 1.5), ("'90s'", 90), ("'5m'", 300), ("'1h'", 3600)],
)
def test_a_preset_s_time_is_in_seconds_or_with_its_unit(written, written_as, seconds):
    lab = written(QUESTION + f"vary = {{layers = [1, 2]}}\n[presets.quick]\ntime = {written_as}")

    assert lab.presets.quick.time == seconds
    assert (lab.presets.quick.seeds, lab.presets.full.time) == (None, None)


@pytest.mark.parametrize(
    ("metric", "against", "expected"),
    [
        (
            "accuracy",
            97,
            "`against` is 97; for metric `accuracy` it must lie between 0 and 1: "
            "a fraction (0.97, not 97).",
        ),
        ("accuracy", -0.1, "`against` is -0.1; for metric `accuracy` it must lie between 0 and 1"),
        ("drop", 1.5, "`against` is 1.5; for metric `drop` it must lie between -1 and 1"),
        ("decline", -3, "`against` is -3; for metric `decline` it must lie between -1 and 1"),
        ("seconds", 0, "`against` is 0; for metric `seconds` it must be above 0."),
        ("seconds_to", -1, "`against` is -1; for metric `seconds_to` it must be above 0."),
        ("epochs_to", 0.0, "`against` is 0; for metric `epochs_to` it must be above 0."),
    ],
)
def test_a_number_that_the_metric_can_never_have_is_refused(written, metric, against, expected):
    text = CLAIM + claim_against(metric, against)

    assert told(written, text).startswith(f"my.toml: questions[1].claims[1]: {expected}")


@pytest.mark.parametrize(
    ("metric", "against"),
    [("accuracy", 0), ("accuracy", 1), ("drop", -1), ("decline", 0.0), ("epochs_to", 0.5)],
)
def test_a_number_that_it_can_have_is_taken(written, metric, against):
    lab = written(CLAIM + claim_against(metric, against))

    assert lab.questions[0].claims[0].against == against


def claim_against(metric, against):
    more = {"drop": "on = 'moved'", "seconds_to": "target = 0.9", "epochs_to": "target = 0.9"}
    judged = JUDGED.replace("{ batch_size = 2 }", str(against))
    return f"{judged}metric = '{metric}'\n{more.get(metric, '')}"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_a_file_whose_name_is_no_text(tmp_path):
    path = Path(os.fsdecode(bytes(tmp_path) + b"/lab\xff.toml"))
    path.write_text('title = "Bars"\n', encoding="utf-8")
    with pytest.raises(LabFileError, match="the file name is not valid UTF-8; rename the file"):
        read_lab(path)
