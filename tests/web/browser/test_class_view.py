"""The labs of a class: whose they are, what came of them, in what order, on a screen and paper."""

import json
import re

import pytest
from playwright.sync_api import Page, expect
from web.browser.test_accessibility import AXE, findings

from siffra.api import kept_labs, run_lab
from siffra.lab.execute.events import Event
from siffra.report.class_view.render import PAGE, write_class

LAB = """
title = "Widths"
author = "{author}"
[data]
path = "tiny.npz"
[base]
epochs = {epochs}
[[questions]]
id = "width"
ask = "What does width do?"
vary = {{ neurons = [2, 4] }}
[[questions.claims]]
id = "wider"
say = "Wider is better."
level = {{ neurons = 4 }}
against = {{ neurons = 2 }}
direction = "{direction}"
"""
# Anna claims the opposite, and Dilan's lab is stopped after one run.
CLASS = {
    "Anna": (1, "worse"),
    "Bo": (1, "better"),
    "Cecilia": (1, "better"),
    "Dilan": (2, "better"),
}


def stop(event: Event) -> None:
    """As Ctrl-C does, after a first run."""
    if event.kind == "finished":
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def ids(bench, tiny_npz) -> dict[str, str]:
    """Four students' labs in the store of the page: the lab of each by its author."""
    folder = bench.store.parent
    (folder / "tiny.npz").write_bytes(tiny_npz)
    for author, (epochs, direction) in CLASS.items():
        lab = folder / f"{author}.toml"
        lab.write_text(LAB.format(author=author, epochs=epochs, direction=direction))
        if author != "Dilan":
            run_lab(lab, seeds=5, jobs=1, store=bench.store, out=folder / "handed-in" / author)
            continue
        with pytest.raises(KeyboardInterrupt):
            run_lab(lab, seeds=5, jobs=1, store=bench.store, on_event=stop)
    return {lab.plan.author["en"]: lab.id for lab in kept_labs(bench.store) if lab.plan.author}


@pytest.fixture
def page(visit, ids) -> Page:
    return class_of(visit("#/labs/class"))


def class_of(page: Page) -> Page:
    expect(page.locator(".lab")).to_have_count(len(CLASS))
    return page


def names(page: Page) -> list[str]:
    return page.locator(".lab").all_inner_texts()


def test_the_labs_lead_there_and_say_whose_each_is(visit, ids):
    page = visit("#/labs")
    for author, lab in ids.items():
        card = page.locator(".cards > li").filter(has=page.locator(f"a[href='#/labs/{lab}']"))
        expect(card).to_contain_text(author)

    page.click("a[href='#/labs/class']")

    assert names(class_of(page)) == list(CLASS)


def test_a_verdict_has_a_sign_and_says_whose_it_is_and_what_differs(page):
    cells = page.locator("td .cell")
    expect(cells).to_have_count(len(CLASS))
    for cell, author in zip(cells.all(), CLASS, strict=True):
        expect(cell).to_have_attribute("aria-label", re.compile(f"^{author}: "))
        assert cell.evaluate("cell => getComputedStyle(cell, '::before').content") != "none"
    told = [cell.get_attribute("aria-label") or "" for cell in cells.all()]
    assert ["not about the same" in text for text in told] == [True, False, False, True]


def test_a_lab_that_is_not_finished_is_told_from_the_others(page):
    expect(page.locator(".unfinished")).to_have_text("Dilan")
    expect(page.locator(".unfinished a")).to_have_attribute("title", re.compile("missing"))
    expect(page.locator(".class")).to_contain_text("Provisional, since runs are missing: Dilan.")


def test_a_claim_orders_the_labs_by_its_verdicts_and_back_with_the_keyboard_alone(page):
    claim = page.get_by_role("button", name="Wider is better.")
    for _ in range(40):
        page.keyboard.press("Tab")
        if claim.evaluate("button => button === document.activeElement"):
            break

    page.keyboard.press("Enter")

    expect(claim).to_have_attribute("aria-pressed", "true")
    assert names(page)[:2] == ["Bo", "Cecilia"]  # those that are not counted come last
    told = [cell.get_attribute("aria-label") or "" for cell in page.locator("td .cell").all()]
    assert [text.partition(":")[0] for text in told] == names(page)
    expect(claim).to_be_focused()

    page.keyboard.press("Enter")
    assert names(page) == list(CLASS)


def test_a_verdict_leads_to_its_question_in_its_lab(page, ids):
    page.locator("td .cell").nth(1).click()

    expect(page).to_have_url(re.compile(f"#/labs/{ids['Bo']}\\?question=width$"))
    expect(page.locator("details[data-question=width]")).to_have_attribute("open", "")
    expect(page.locator(".levels-table tbody tr")).to_have_count(2)


@pytest.mark.parametrize("locale", ["en-GB", "sv-SE"])
def test_axe_finds_nothing_and_a_phone_is_wide_enough(visit, ids, locale):
    narrow = {"viewport": {"width": 360, "height": 740}}
    page = class_of(visit("#/labs/class", locale=locale, **narrow))
    page.evaluate(AXE.read_text("utf-8"))

    assert findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert not re.search(r"\b(ui|class|verdict)\.\w+", page.locator("body").inner_text())


def test_names_and_claims_stay_in_sight_when_a_large_class_is_scrolled(visit, ids):
    def thirty(route):
        found = route.fetch().json()
        found["labs"] = [found["labs"][1] | {"name": f"Student {i:02}"} for i in range(30)]
        (question,) = found["questions"]
        (row,) = question["rows"]
        question["rows"] = [row | {"cells": [row["cells"][1]] * 30} for _ in range(40)]
        route.fulfill(body=json.dumps(found), content_type="application/json")

    page = visit(viewport={"width": 900, "height": 700})
    page.route(re.compile("/api/labs/class"), thirty)
    page.evaluate("location.hash = '#/labs/class'")
    expect(page.locator(".lab")).to_have_count(30)
    page.locator(".class .scroll").evaluate("box => box.scrollTo(500, 900)")

    def corner(place: str) -> dict[str, float]:
        return page.locator(place).evaluate("e => e.getBoundingClientRect().toJSON()")

    box = corner(".class .scroll")
    assert abs(corner(".lab >> nth=29")["y"] - box["y"]) < 2
    assert abs(corner("tbody tr:nth-child(30) th")["x"] - box["x"]) < 2


def test_on_paper_there_are_no_controls_and_colours_stay(page, sheets):
    page.emulate_media(media="print", color_scheme="dark")

    expect(page.locator(".top")).to_be_hidden()
    filled = page.locator(".keys .supported")
    assert filled.evaluate("cell => getComputedStyle(cell).printColorAdjust") == "exact"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert sheets(page) == 1


def test_the_class_of_a_folder_of_reports_has_its_heading_and_its_table_on_one_sheet(
    browser, bench, ids, sheets, tmp_path
):
    write_class(bench.store.parent / "handed-in", tmp_path)
    page = browser.new_page()
    page.goto((tmp_path / PAGE).as_uri())

    assert sheets(page) == 1
