import dataclasses
import html
import html.parser
import itertools
import json
import os
import re
from dataclasses import replace
from typing import get_args

import pytest
from report.fake_answers import make_answers, make_claim, make_question, short_study, study
from report.fake_examinations import make_examined

from siffra.errors import SiffraError
from siffra.lab.answers import Look
from siffra.lab.answers import answer as answer_plan
from siffra.lab.plan.plan import Experiment, Figure
from siffra.report.intervals import glance
from siffra.report.model import read_report
from siffra.report.render.pages import anchor
from siffra.report.render.report import write_report
from siffra.report.text.messages import words_in
from siffra.report.text.tables import MANY

HOSTILE = (
    "</style><script>alert(1)</script>\"'><img src=x onerror=alert(1)>\n"
    "# x ![y](http://z) | `c` $x^{"
)


class Page(html.parser.HTMLParser):
    """Collects a page's elements, its text, and every address in it."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.ids, self.addresses, self.text = [], [], [], ""
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href"):
                self.addresses.append(value)
            assert not name.startswith("on")

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    return out, write_report(study(seeds=3, epochs=3), out)


@pytest.fixture(scope="module")
def page(written):
    return Page((written[0] / "report.html").read_text("utf-8"))


def hostile_answers():
    question = make_question(
        HOSTILE,
        [{"neurons": n} for n in (8, 16)],
        ask=HOSTILE,
        note=HOSTILE,
        claims=[make_claim("a1", HOSTILE, reported={"en": HOSTILE})],
        reported=[{"test": 0.9, HOSTILE: 1.1}],
        figures=get_args(Figure),
    )
    experiment = Experiment(
        id=HOSTILE,
        name={"en": HOSTILE},
        note={"en": HOSTILE},
        setting=question.levels[0].settings[0],
        reported={},
    )
    answers = make_answers([question], [experiment], title=HOSTILE)
    return dataclasses.replace(
        answers, plan=dataclasses.replace(answers.plan, source=HOSTILE, preset=HOSTILE)
    )


def test_a_report_is_a_page_its_markdown_its_data_and_its_figures(written):
    out, paths = written

    names = [path.relative_to(out).as_posix() for path in paths]
    assert names[:5] == ["report.html", "report.md", "results.json", "runs.csv", "runs.parquet"]
    assert all(name.startswith("figures/") for name in names[5:])
    assert len(names) == 5 + 13
    assert all(path.stat().st_size for path in paths)


def test_the_page_needs_nothing_but_itself(page, written):
    report = read_report(written[0])
    lines = sum(glance(claim) is not None for q in report.questions for claim in q.claims)

    assert "script" not in page.tags
    assert "link" not in page.tags
    assert all(a.startswith(("#", "data:image/png;base64,")) for a in page.addresses)
    # Once at a glance, and once where the claim is told; five explain them.
    assert page.tags.count("svg") + page.tags.count("img") == 13 + 5 + 2 * lines


def test_every_link_of_the_page_leads_somewhere_and_ids_are_unique(page):
    assert len(page.ids) == len(set(page.ids))
    assert {a[1:] for a in page.addresses if a.startswith("#")} <= set(page.ids)


def test_the_page_says_everything(page):
    text = " ".join(page.text.replace("\N{NO-BREAK SPACE}", " ").split())

    assert "A study of digits, after 3 epochs" in text
    assert "Of 11 claims " in text
    assert "not tested at this length" in text
    assert "Held fixed: the dense model, 1 hidden layer, 32 neurons, batch size 140" in text
    assert "The study does not say which model" in text
    assert "siffra lab digits.toml --preset standard --epochs 3 --seeds 3" in text
    assert "numpy 2.4.6" in text


def test_figures_are_numbered_as_they_come_and_answers_refer_to_theirs(written, page):
    report = read_report(written[0])
    shown = [f for q in report.questions for f in q.figures] + list(report.experiments_figures)
    markdown = (written[0] / "report.md").read_text("utf-8")

    assert [figure.number for figure in shown] == list(range(1, len(shown) + 1))
    assert [i for i in page.ids if i.startswith("figure-")] == [f"figure-{f.number}" for f in shown]
    assert re.findall(r"\*Figure (\d+)\. ", markdown) == [str(f.number) for f in shown]
    for question in report.questions:
        of_results = [f.number for f in question.figures if f.shows_results]
        numbers = of_results or [f.number for f in question.figures]
        assert re.findall(r"\d+", question.figures_text) == [
            str(n) for n in dict.fromkeys([*numbers[:1], *numbers[-1:]])
        ]


@pytest.mark.usefixtures("unpainted")
def test_an_answer_says_how_often_each_author_was_right(tmp_path):
    answers = study(seeds=5)
    of_siffra = make_claim("z", "siffra says so too.", by={"en": "siffra"})
    first = answers.questions[0].question
    plan = replace(
        answers.plan,
        questions=(replace(first, claims=(*first.claims, of_siffra)), *answers.plan.questions[1:]),
    )
    records = {(r.setting, r.seed): r for q in answers.questions for v in q.levels for r in v.tried}
    write_report(answer_plan(plan, records), tmp_path)
    report = read_report(tmp_path)
    claims = report.questions[0].claims
    text = Page((tmp_path / "report.html").read_text("utf-8")).text

    told = text[text.index("Supported: ") :][:200]
    theirs, by_siffra = told.split(" (the lab's author). ")
    right = sum(c.code == "supported" for c in claims if not c.by)
    wrong = sum(c.code == "refuted" for c in claims if not c.by)
    assert theirs.startswith(f"Supported: {right}, refuted: {wrong}")
    assert by_siffra.partition(" (siffra).")[0] in ("Supported: 1", "Refuted: 1", "Open: 1")


@pytest.mark.usefixtures("unpainted")
def test_sizes_of_sets_and_shifts_and_the_length_of_training_stand_before_the_verdicts(tmp_path):
    answers = study(seeds=2, epochs=3)
    made = make_examined(answers)
    strengths = {"moved": 10.0, "rotated": 36.0}
    write_report(
        answers, tmp_path, "en", replace(made, dataset=replace(made.dataset, strengths=strengths))
    )

    shortened = read_report(tmp_path).shortened
    assert shortened is not None
    for name in ("report.html", "report.md"):
        head, _, _ = (tmp_path / name).read_text("utf-8").partition("All verdicts at a glance")
        head = re.sub(r"<details.*?</details>", "", head, flags=re.DOTALL)
        assert "40 training, 40 validation and 40 test images" in head
        assert "moved by up to 10 pixels" in head
        assert "rotated by up to 36 degrees" in head
        assert "3 epochs" in shortened.text
        assert shortened.text in head


@pytest.mark.usefixtures("unpainted")
def test_a_long_table_of_levels_is_folded(tmp_path):
    for levels in (MANY, MANY + 1):
        question = make_question("q", [{"neurons": 2 + i} for i in range(levels)])
        write_report(make_answers([question], seeds=2), tmp_path)
        page = (tmp_path / "report.html").read_text("utf-8")
        assert ("in numbers</summary>" in page) == (levels > MANY)


def test_it_opens_with_how_many_held(written, page):
    report = read_report(written[0])

    assert report.summary in page.text[: page.text.index("All verdicts at a glance")]
    assert report.summary in (written[0] / "report.md").read_text("utf-8")[:800]


def test_counts_and_the_most_wrong_claims_come_before_every_note(tmp_path):
    write_report(study(seeds=2, epochs=3), tmp_path)
    report = read_report(tmp_path)
    said = html.unescape((tmp_path / "report.html").read_text("utf-8"))
    assert report.shortened is not None

    order = [report.summary, 'class="tally"', report.shortened.text, 'class="glance"']
    assert sorted(order, key=said.index) == order


@pytest.mark.usefixtures("unpainted")
def test_every_refuted_claim_is_listed_with_what_was_claimed_and_measured(tmp_path):
    levels = [{"neurons": n} for n in (8, 16)]
    wrong = [make_claim(f"a{i}", f"Fewer {i}.") for i in range(3)]
    write_report(
        make_answers([make_question("a", levels, ["levels"], claims=wrong)], seeds=8), tmp_path
    )
    report = read_report(tmp_path)
    page = (tmp_path / "report.html").read_text("utf-8")
    listed = page.partition('<details id="refuted">')[2].partition("</details>")[0]
    refuted = [claim for claim in report.claims if claim.verdict == "refuted"]

    assert len(refuted) > len(report.surprises)
    assert f"All {len(refuted)} refuted claims" in listed
    for claim in refuted:
        assert claim.say in listed
        assert claim.missed_text.startswith("Claimed: ")
        assert html.escape(claim.missed_text) in listed


def test_the_verdicts_at_a_glance_say_which_side_is_the_claims_and_fold_open_claims(written):
    html = (written[0] / "report.html").read_text("utf-8")
    glance_html = html.partition('<div class="glance">')[2].partition("</div>")[0]
    sides = re.sub(r"<[^>]*>", " ", glance_html.partition("</p>")[0])
    folded = "".join(re.findall(r"<details>.*?</details>", glance_html, re.DOTALL))
    report = read_report(written[0])
    are_open = [claim.verdict in ("inconclusive", "not tested") for claim in report.claims]

    assert " ".join(sides.split()) == "← against the claim for the claim →"
    assert glance_html.count("<li ") == len(report.claims)
    assert folded.count("<li ") == sum(are_open) > 0


def test_claims_that_are_open_or_not_tested_are_folded(written):
    html = (written[0] / "report.html").read_text("utf-8").partition("Contents</h3>")[2]
    folded = re.findall(r"<details.*?</details>", html, re.DOTALL)
    report = read_report(written[0])
    open_claims = [c for c in report.claims if c.verdict in ("inconclusive", "not tested")]

    assert sum(text.count('<li class="claim">') for text in folded) == len(open_claims) > 0
    for text in folded:
        assert not re.search(r'class="badge (likely_)?(supported|refuted|no_difference)"', text)
        n = text.count('<li class="claim">')
        assert f"<summary>{n} claim" in text or not n
    for question in report.questions:  # a list of nothing but what is folded is open
        section = html[html.index(f'id="{anchor(question.id)}"') :].partition("</section>")[0]
        only_open = all(c in open_claims for c in question.claims)
        assert ("<details open>" in section) == (bool(question.claims) and only_open)


def test_the_figures_that_the_markdown_links_are_there(written):
    out, _ = written
    linked = re.findall(r"\]\((figures/[^)]+)\)", (out / "report.md").read_text("utf-8"))

    assert len(linked) == 13
    assert all((out / name).exists() for name in linked)


def test_what_a_claim_rests_on_begins_a_line_in_every_dialect_of_markdown(written):
    lines = (written[0] / "report.md").read_text("utf-8").splitlines()
    says = [a for a, b in itertools.pairwise(lines) if a.startswith("- **") and b.startswith("  ")]

    # Two blanks, as a backslash is no line break to MkDocs.
    assert says
    assert all(line.endswith("  ") for line in says)


def test_headings_in_the_markdown_are_no_part_of_a_list_before_them(written):
    lines = (written[0] / "report.md").read_text("utf-8").splitlines()
    before = [above for above, line in itertools.pairwise(lines) if line.startswith("#")]

    assert len(before) > 5
    assert set(before) == {""}


def test_tables_in_the_markdown_are_rectangular(written):
    lines = (written[0] / "report.md").read_text("utf-8").splitlines()

    rules = [i for i, line in enumerate(lines) if line.startswith("| ---")]
    assert len(rules) == 8
    for i in rules:
        rows = lines[i - 1 : i + 3]
        assert len({line.count("|") for line in rows}) == 1


@pytest.mark.usefixtures("unpainted")
def test_a_full_lab_is_not_headed_by_its_length(tmp_path):
    lab = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])], epochs=None)
    write_report(lab, tmp_path)

    assert "<h1>A study of digits</h1>" in (tmp_path / "report.html").read_text("utf-8")


def test_swedish_reports_are_swedish(tmp_path):
    question = make_question("a", [{"neurons": n} for n in (8, 16)], ["levels"], epochs=1)
    write_report(make_answers([question], epochs=1), tmp_path, "sv")

    text = (tmp_path / "report.html").read_text("utf-8")
    assert '<html lang="sv">' in text
    assert "efter en epok" in text
    assert "Sammanfattning" in text


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", "learning rate, max depth and recipe tuned per level, on validation."),
        ("sv", "inlärningshastighet, max depth och recept valdes per nivå"),
    ],
)
def test_retuned_knobs_are_named_even_those_of_a_model_of_one_s_own(tmp_path, language, said):
    question = make_question("a", [{"neurons": n} for n in (8, 16)], ["levels"], epochs=1)
    question = dataclasses.replace(question, retune=("learning_rate", "max_depth", "recipe"))

    write_report(make_answers([question], epochs=1, seeds=2), tmp_path, language)

    for name in ("report.html", "report.md"):
        assert said in (tmp_path / name).read_text("utf-8")


def said_by(answers):
    """Every text of the lab file, in any language."""
    told = [answers.plan.title]
    for answer in answers.questions:
        told += [answer.question.ask, answer.question.note]
        told += [
            text for claim in answer.claims for text in (claim.claim.say, claim.claim.reported)
        ]
    for answer in answers.experiments:
        told += [answer.experiment.name, answer.experiment.note]
    return {said for text in told for said in text.values() if said}


def test_no_english_is_left_in_a_swedish_report(tmp_path):
    answers = study(seeds=3, epochs=3)
    looks = (Look(2, 0.001, 3, 8), Look(3, 0.05, 4, 4))
    answers = dataclasses.replace(answers, looks=looks, missing=2)
    write_report(answers, tmp_path, "sv", make_examined(answers))

    page = (tmp_path / "report.html").read_text("utf-8")
    for part in ("pre>.*?</pre", "style>.*?</style", 'dl class="facts">.*?</dl'):
        page = re.sub(f"<{part}>", " ", page, flags=re.DOTALL)
    said = html.unescape(re.sub(r"<[^>]*>", "\n", page))
    for text in sorted(said_by(answers), key=len, reverse=True):
        said = said.replace(text, " ")
    english, swedish = words_in("en").texts, " ".join(words_in("sv").texts.values())
    left = {
        piece
        for text in english.values()
        for piece in map(str.strip, re.split(r"{\w+}", text))
        if len(piece) > 3 and piece not in swedish
        if re.search(rf"(?<![\w-]){re.escape(piece)}(?![\w.-]*\w)", said, re.IGNORECASE)
    }
    assert not left


@pytest.mark.usefixtures("unpainted")
def test_a_report_with_examined_networks_has_their_figures(tmp_path):
    kinds = get_args(Figure)[-6:]
    models = make_question("d", [{"model": "dense"}, {"model": "conv"}], kinds, epochs=1)
    settings = [level.settings[0] for level in models.levels]
    experiments = [Experiment(str(i), {}, {}, s, {}) for i, s in enumerate(settings)]
    answers = make_answers([models], experiments, seeds=2)

    write_report(answers, tmp_path, examined=make_examined(answers))

    names = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert names == {f"d-{kind}" for kind in kinds} | {
        "experiments",
        "experiments-shifts",
        "experiments-confusion",
        "experiments-mistakes",
        "experiments-calibration",
    }
    assert "have no diagnostics yet" not in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.usefixtures("unpainted")
def test_claims_that_are_not_the_authors_stand_under_their_name(tmp_path):
    levels = [{"neurons": n} for n in (8, 16)]
    first, second = (
        make_question(name, levels, ["levels"], claims=[make_claim(f"{name}1", "Fewer.")], epochs=1)
        for name in "ab"
    )
    own = dataclasses.replace(second, by={"en": "siffra"})
    write_report(make_answers([first, own], epochs=1), tmp_path)

    page = (tmp_path / "report.html").read_text("utf-8")
    assert "The only claim by siffra" in page
    assert re.findall(r"<h3>(Claims.*?)</h3>", page) == [
        "Claims",
        "Claims by siffra",
    ]
    assert re.findall(r'whose">(.*?)</p>', page) == ["The lab&#39;s author", "siffra"]
    assert "### Claims by siffra" in (tmp_path / "report.md").read_text("utf-8")


@pytest.mark.usefixtures("unpainted")
def test_a_claim_that_is_not_the_authors_is_marked_wherever_theirs_stand(tmp_path):
    claims = [make_claim("a1", "Fewer."), make_claim("a2", "More.", by={"en": "siffra"})]
    levels = [{"neurons": n} for n in (8, 16)]
    answers = make_answers([make_question("a", levels, ["levels"], claims=claims, epochs=1)])
    write_report(answers, tmp_path)

    page = (tmp_path / "report.html").read_text("utf-8")
    chip = ' <span class="by">siffra&#39;s reading of this sentence</span>'
    assert page.count(chip) == 2
    assert f"More.</a>{chip}" in page  # at a glance
    assert f"More.{chip}" in page  # among the question's claims
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "| a. More. (siffra's reading of this sentence) |" in text
    assert ": More. (siffra's reading of this sentence)" in text


@pytest.mark.usefixtures("unpainted")
def test_networks_of_later_seeds_are_not_missed(tmp_path):
    """Only those of a lab's first look are examined: to run it again would add none."""
    models = make_question("d", [{"model": "dense"}, {"model": "conv"}], ["shifts"], epochs=1)
    answers = make_answers([models], seeds=4)
    first = replace(answers, plan=replace(answers.plan, seeds=(0, 1)))
    write_report(first, tmp_path)

    page = (tmp_path / "report.html").read_text("utf-8")
    assert "4 of the 4 networks of this question have no diagnostics yet" in page


@pytest.mark.usefixtures("unpainted")
def test_networks_that_were_not_examined_are_missed_aloud(tmp_path):
    models = make_question("d", [{"model": "dense"}, {"model": "conv"}], ["shifts"], epochs=1)
    write_report(make_answers([models], seeds=2), tmp_path)

    assert "4 of the 4 networks of this question have no diagnostics yet" in (
        tmp_path / "report.html"
    ).read_text("utf-8")


def test_nothing_that_a_lab_file_says_becomes_markup(tmp_path):
    answers = hostile_answers()
    paths = write_report(answers, tmp_path, examined=make_examined(answers))

    page = Page((tmp_path / "report.html").read_text("utf-8"))
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.tags.count("style") == 1
    assert "alert(1)" in page.text
    markdown = (tmp_path / "report.md").read_text("utf-8")
    # The command stands in a fenced block of one line, in which nothing is markup.
    markdown, fenced = re.subn(r"^```\n[^\n]*\n```$", "", markdown, flags=re.MULTILINE)
    assert fenced == 1
    assert "<script" not in markdown
    assert "<img" not in markdown
    assert "![y]" not in markdown
    assert "\n# x" not in markdown
    assert all(path.resolve().is_relative_to(tmp_path.resolve()) for path in paths)
    for path in (tmp_path / "figures").glob("*.svg"):
        assert "<script" not in path.read_text("utf-8")


@pytest.mark.usefixtures("unpainted")
def test_a_lab_without_runs_questions_or_claims_still_gives_a_report(tmp_path):
    full = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])])
    answer = full.questions[0]
    levels = tuple(dataclasses.replace(level, records=()) for level in answer.levels)
    questions = (dataclasses.replace(answer, levels=levels),)
    waiting = dataclasses.replace(full, questions=questions, missing=10)

    for i, answers in enumerate((waiting, make_answers([]))):
        assert write_report(answers, tmp_path / str(i))
    assert "10 runs are missing" in (tmp_path / "0/report.html").read_text("utf-8")


@pytest.mark.usefixtures("unpainted")
def test_an_old_report_is_replaced_and_other_files_are_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "report.html").write_text("old")
    lab = make_answers([make_question("a", [{"neurons": n} for n in (8, 16)])])

    write_report(lab, tmp_path)

    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert "A study of digits" in (tmp_path / "report.html").read_text("utf-8")
    assert not list(tmp_path.glob(".*"))


def test_a_report_that_cannot_be_made_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr("siffra.report.model.Report.dump", lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        write_report(make_answers([]), tmp_path)

    assert (tmp_path / "report.html").read_text() == "old"
    assert os.listdir(tmp_path) == ["report.html"]


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(SiffraError, match=r"file: the report cannot be written there: ") as caught:
        write_report(make_answers([]), tmp_path / "file")

    assert "\n" not in str(caught.value)


def test_an_unknown_language_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(SiffraError, match="language `de`"):
        write_report(make_answers([]), tmp_path / "out", "de")

    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize(
    ("language", "said"), [("en", "at most 1500 images"), ("sv", "1500 bilder")]
)
def test_the_page_says_on_how_many_images_curves_rest(tmp_path, language, said):
    write_report(make_answers([]), tmp_path, language)

    assert said in (tmp_path / "report.md").read_text("utf-8")


def test_results_and_page_agree(written, page):
    results = json.loads((written[0] / "results.json").read_text("utf-8"))

    for question in results["questions"]:
        assert all(part in page.text for part in (question["lead"], *question["more"]))
        assert question["answer"] == " ".join((question["lead"], *question["more"]))


@pytest.mark.usefixtures("unpainted")
@pytest.mark.parametrize("language", ["en", "sv"])
def test_a_lab_that_ran_out_of_time_has_a_report_with_the_figures_that_it_has_runs_for(
    tmp_path, language
):
    answers = short_study()
    write_report(answers, tmp_path, language, make_examined(answers))

    page = Page((tmp_path / "report.html").read_text("utf-8"))
    markdown = (tmp_path / "report.md").read_text("utf-8")
    short = {"en": "There was not enough time for a first", "sv": "Tiden räckte inte för en första"}
    for text in (page.text, markdown):
        assert short[language] in text
        assert words_in(language).count("head.incomplete", 2)[2:] not in text
    drawn = {path.stem for path in (tmp_path / "figures").iterdir()}
    assert {"a-curves", "e-levels", "f-heatmap", "experiments"} <= drawn
    # Of one of two models alone nothing is shown.
    assert not [name for name in drawn if name.startswith(("c-", "d-"))]
    assert {"en": "the frame marks", "sv": "ramen markerar"}[language] not in page.text.lower()


@pytest.mark.parametrize("language", ["en", "sv"])
def test_a_lab_that_had_no_time_for_anything_has_one_too(tmp_path, language):
    answers = short_study()
    nothing = answer_plan(replace(answers.plan, looks=(5, 7)), {}, {}, shortfall=answers.shortfall)
    write_report(nothing, tmp_path, language)

    result = json.loads((tmp_path / "results.json").read_text("utf-8"))
    assert result["runs"] == result["missing"] == 0
    assert all(question["first_look"] for question in result["questions"])
