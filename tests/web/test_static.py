"""The page's files: whole, words and all, and nothing that a content security policy would stop."""

import re
from importlib.resources import files
from pathlib import Path

import pytest

from siffra.report.model import Question
from siffra.report.model.claims import Claim
from siffra.report.model.measured import Experiment, Level, Summary
from siffra.report.text.messages import LANGUAGES
from siffra.web.labs import LabPage
from siffra.web.pages import page_words

STATIC = Path(str(files("siffra.web").joinpath("static")))
MODULES = sorted(STATIC.glob("modules/**/*.js"))
OURS = [*MODULES, STATIC / "index.html", STATIC / "style.css"]

# Keys that are put together at run time: `ui.state.${state}`.
COMPOSED = {
    "ui.error.": ("away", "bad_request", "forbidden", "not_found", "method", "conflict", "server",
                  "too_large", "content_type", "impossible", "bad_upload", "bad_table",
                  "too_much", "not_started_here", "queue_full",
                  "data_gone", "worker_lost", "store_gone", "no_memory", "disk_full", "busy",
                  "out_of_range", "no_choice", "few_levels", "many_levels", "many_runs"),
    "ui.column.": ("seed", "seconds", "finished", "parameters", "dataset", "diverged", "engine",
                   "busy", "failure"),
    "ui.state.": ("queued", "running", "paused", "done", "stopped", "failed"),
    "ui.status.": ("pause", "resume", "cancel", "start"),
    "ui.theme.": ("system", "light", "dark"),
    "ui.nav.": ("ask", "judge", "playground", "labs", "runs"),
    "ui.language.": LANGUAGES,
    "ui.choice.": ("true", "false"),
    "ui.labs.preset.": ("quick", "standard", "full"),
    "ui.ask.model.": ("dense", "conv"),
    "ui.ask.example.": ("batch", "neurons", "models", "kernel", "layers"),
    "ui.keys.": ("new", "find", "help"),
    "ui.play.lesson.": ("move", "turn", "draw", "over"),
    "ui.ask.": ("epochs", "seeds"),
    "ui.play.": ("move", "draw", "clear", "fit", "reset", "another", "dx", "dy", "angle", "scale"),
    "ui.play.hint_": ("move", "draw"),
    "ui.play.layer_": ("dense", "conv"),
    "ui.judge.": (
        "by", "seed", "metric", "better", "higher", "lower", "margin", "where", "pair_by",
        "baseline",
    ),
    "ui.runs.": ("csv", "parquet", "earlier", "later"),
}  # fmt: skip

# Keys of what the server says.
BY_THE_SERVER = ("ui.jobs.", "ui.door.", "ui.limits.", "ui.judge.no_table", "ui.question.ends")

# What the modules that show a lab call its parts, and what else they read of such a thing: the
# route's own fields of a lab, and of a level its curves.
SHOWN = {
    "lab": {*LabPage.model_fields, "state", "error", "can_start"},
    "question": {*Question.model_fields},
    "asked": {*Question.model_fields},
    "claim": {*Claim.model_fields},
    "level": {*Level.model_fields, "band", "ends", "seeds", "shown"},
    "each": {*Experiment.model_fields, "values", "seed"},
    "seconds": {*Summary.model_fields},
}
_VIEW = {"update", "live", "leave"}  # what is shown is called by the same name
SHOWING = ("ask/answer", "judge/form", "results/badges", "results/card", "results/knob",
           "results/lab", "results/levels", "results/question")  # fmt: skip


def imports(module: Path) -> set[Path]:
    """Those that it needs to run, and those that it has come later: `import("./view.js")`."""
    text = module.read_text("utf-8")
    found = re.findall(r'^import [^;]*?"(\.[^"]+)";|\bimport\("(\.[^"]+)"\)', text, re.MULTILINE)
    found = [now or later for now, later in found]
    return {(module.parent / name).resolve() for name in found}


def test_every_module_is_there_and_is_used():
    seen: set[Path] = set()
    new = {STATIC / "modules/main.js", STATIC / "modules/theme.js"}
    while new:
        seen |= new
        new = {path for module in new if "vendor" not in module.parts for path in imports(module)}
        assert all(path.is_file() for path in new)
        new -= seen

    assert set(MODULES) <= seen


@pytest.mark.parametrize("name", SHOWING)
def test_what_the_page_reads_of_a_lab_is_in_the_schema_of_its_report(name):
    text = (STATIC / f"modules/{name}.js").read_text("utf-8")
    text = re.sub(r'"[^"]*"|//.*', "", text)

    read = set(re.findall(rf"\b({'|'.join(SHOWN)})\.(\w+)", text))
    read |= {("seconds", field) for field in re.findall(r"accuracy\[\w+\]\.(\w+)", text)}

    assert read
    assert {f"{part}.{field}" for part, field in read if field not in SHOWN[part] | _VIEW} == set()


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_nothing_comes_from_another_place(path):
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
    text = re.sub(r"url\((vendor/[\w./-]+)\)", lambda m: str((STATIC / m[1]).stat().st_size), text)

    assert not re.search(r"https?:|//[a-z0-9.-]+\.[a-z]{2,}/|@import|url\(", text)


def test_the_page_has_no_inline_scripts_or_styles():
    page = (STATIC / "index.html").read_text("utf-8")

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_text_becomes_markup_or_code(path):
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\.srcdoc",
        path.read_text("utf-8"),
    )


def test_the_chart_library_has_its_licence_beside_it():
    library = STATIC / "vendor/uplot"

    assert "MIT" in (library / "LICENSE").read_text("utf-8")
    assert "v1.6.32" in (library / "uPlot.js").read_text("utf-8")[:400]


def test_the_font_is_small_and_has_its_licence_beside_it():
    font = STATIC / "vendor/inter"

    assert "SIL Open Font License" in (font / "LICENSE").read_text("utf-8")
    assert sum(file.stat().st_size for file in font.glob("*.woff2")) < 64 * 1024


def test_every_text_of_the_page_is_in_the_catalogue_of_each_language():
    used = {prefix + name for prefix, names in COMPOSED.items() for name in names}
    for module in MODULES:
        text = module.read_text("utf-8")
        used |= set(re.findall(r'"(ui\.[\w.]+)"', text)) | set(
            re.findall(r'\bt\(\s*"([\w.]+)"', text)
        )
        counted = set(re.findall(r'\bcount\(\s*"([\w.]+)"', text))
        used |= {f"{key}.{form}" for key in counted for form in ("one", "other")}
        used -= counted
    used -= {key.removesuffix(".one") for key in used if key.endswith(".one")}

    assert len(used) > 100
    for language in LANGUAGES:
        assert used <= page_words(language).texts.keys()


def test_the_languages_have_the_same_texts_with_the_same_gaps():
    english, swedish = (page_words(language).texts for language in LANGUAGES)

    assert english.keys() == swedish.keys()
    for key, text in english.items():
        gaps = [sorted(set(re.findall(r"{(\w+)}", each))) for each in (text, swedish[key])]
        assert gaps[0] == gaps[1], key


def test_no_text_of_the_page_is_there_for_nothing():
    everything = "".join(path.read_text("utf-8") for path in MODULES)
    composed = {prefix + name for prefix, names in COMPOSED.items() for name in names}
    for key in page_words("en").texts:
        if key.startswith("ui.") and not key.startswith(BY_THE_SERVER):
            plain = key.removesuffix(".one").removesuffix(".other")
            assert key in composed or f'"{plain}"' in everything, key
