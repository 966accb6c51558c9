"""A table of runs is dropped on the page and judged, corrected and refused there."""

import base64
import random
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

DROP = """([name, content, target]) => {
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], name));
  for (const kind of ["dragover", "drop"]) {
    const event = new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
    document.querySelector(target).dispatchEvent(event);
  }
}"""


def runs(name: str = "lr") -> str:
    draw = random.Random(0).gauss
    rows = [
        f'"{level}",{seed},{draw(loss, 0.01):.4f},{draw(1 - loss, 0.005):.4f}'
        for level, loss in (("0.1", 0.32), ("0.3", 0.30), ("1.0", 0.25))
        for seed in range(12)
    ]
    return "\n".join([f'"{name}",seed,val_loss,accuracy', *rows])


def drop(page: Page, table: str | bytes, name: str = "runs.csv", target: str = "main") -> None:
    content = table if isinstance(table, bytes) else table.encode()
    page.evaluate(DROP, [name, base64.b64encode(content).decode(), target])


@pytest.fixture
def judged(visit):
    """A page on which a table has been judged."""
    page = visit("#/judge")
    expect(page.locator(".drop-zone")).to_be_visible()
    drop(page, runs())
    expect(page.locator(".claims .badge")).to_have_count(2)
    return page


def test_a_table_that_is_dropped_gets_verdicts(judged, nameless):
    expect(judged.locator(".claims .badge.supported")).to_have_count(2)
    expect(judged.locator(".answer")).to_contain_text("val_loss is")
    expect(judged.locator(".levels-table tbody th")).to_have_text(["0.1", "0.3", "1"])
    expect(judged.locator(".charts .uplot")).to_have_count(1)  # against lr: a table has no epochs
    expect(judged.locator(".limits li")).not_to_have_count(0)
    expect(judged.locator(".read-as li").first).to_contain_text("36 runs")
    expect(judged.locator("pre").last).to_contain_text("siffra judge runs.csv")
    assert "NaN" not in judged.locator("main").inner_text()
    assert nameless(judged) == []


@pytest.mark.parametrize("view", ["ask", "labs", "playground"])
def test_it_may_be_dropped_on_any_view(visit, view):
    page = visit(f"#/{view}")
    expect(page.locator("nav a[aria-current]")).to_be_visible()

    drop(page, runs(), target="body")

    expect(page.locator(".claims .badge.supported")).to_have_count(2)
    assert "#/judge" in page.url


def test_a_file_is_chosen_with_the_keyboard_and_stays_while_one_looks_elsewhere(visit, tmp_path):
    file = Path(tmp_path / "mine.csv")
    file.write_text(runs())
    page = visit("#/judge")
    # Listening begins well before the key: Chromium is asked for it in a message of its own, which
    # the key could overtake.
    page.once("filechooser", lambda chooser: chooser.set_files(file))
    page.locator("main input[type=file]").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".claims .badge")).to_have_count(2)

    page.click("nav a[href='#/runs']")
    expect(page.locator("#where")).to_be_visible()
    page.click("nav a[href='#/judge']")

    expect(page.locator(".claims .badge")).to_have_count(2)


def test_what_its_columns_are_is_corrected_without_another_upload(judged):
    judged.focus("#judge-metric")
    judged.select_option("#judge-metric", "accuracy")
    expect(judged.locator(".answer")).to_contain_text("accuracy is")
    expect(judged.locator("#judge-metric")).to_be_focused()
    expect(judged.locator("#judge-better")).to_have_value("higher")

    judged.fill("#judge-margin", "0.5")
    judged.keyboard.press("Enter")
    expect(judged.locator(".claims .badge.no_difference")).to_have_count(2)

    judged.select_option("#judge-baseline", "2")
    expect(judged.locator(".claims li").first).to_contain_text("against lr 1")

    judged.fill("#judge-margin", "-1")
    judged.keyboard.press("Tab")
    expect(judged.locator("#refusal")).to_contain_text("greater than 0")

    judged.click("#judge-reset")
    expect(judged.locator(".answer")).to_contain_text("val_loss is")
    expect(judged.locator("#refusal")).to_be_empty()
    expect(judged.locator("#judge-reset")).to_have_count(0)


def test_rows_and_pairs_are_chosen(judged):
    judged.fill("#judge-where", "lr in 0.1, 0.3\nseed < 8")
    judged.keyboard.press("Tab")
    expect(judged.locator(".claims .badge")).to_have_count(1)
    expect(judged.locator(".read-as li").first).to_contain_text("16 runs")
    expect(judged.locator("pre").last).to_contain_text("'--where=seed < 8'")

    judged.fill("#judge-where", "lr > 9")
    judged.keyboard.press("Tab")
    expect(judged.locator("#refusal")).to_contain_text("no row is left")
    judged.fill("#judge-where", "")
    judged.keyboard.press("Tab")
    expect(judged.locator(".claims .badge")).to_have_count(2)

    pairs = judged.get_by_role("group", name="Pair runs by")
    expect(pairs.get_by_label("seed")).to_be_checked()
    pairs.get_by_label("val_loss").check()
    expect(judged.locator("pre").last).to_contain_text("--pair-by=seed,val_loss")
    expect(judged.locator(".limits")).to_contain_text("No two levels share a value")


def test_what_cannot_be_judged_is_told_and_can_be_corrected(judged):
    judged.select_option("#judge-seed", "none")
    expect(judged.locator("#refusal")).to_contain_text("without repeats")
    expect(judged.locator("article")).to_be_hidden()

    judged.get_by_label("seed", exact=True).first.uncheck()
    judged.click("#judge-reset")
    expect(judged.locator(".claims .badge")).to_have_count(2)


@pytest.mark.parametrize(
    ("locale", "table", "why"),
    [
        ("en-GB", b"%PDF-1.7", "not a table"),
        ("sv-SE", b"%PDF-1.7", "ingen tabell"),
        ("sv-SE", b"x" * (17 * 2**20), "17,0\u00a0MiB"),
        ("en-GB", b"", "it is empty"),
    ],
)
def test_a_bad_file_is_told_beside_the_drop_zone_in_one_line(visit, locale, table, why):
    page = visit("#/judge", locale=locale)
    expect(page.locator(".drop-zone")).to_be_visible()

    drop(page, table)

    expect(page.locator("#refusal")).to_contain_text(why)
    expect(page.locator("article")).to_be_hidden()


def test_names_and_cells_are_shown_as_they_are_written(visit):
    page = visit("#/judge")
    expect(page.locator(".drop-zone")).to_be_visible()
    evil = "<img src=x onerror=alert(1)>"

    drop(page, runs(evil).replace('"0.3"', f'"{evil}"'), f"{evil}.csv")

    expect(page.locator(".levels-table tbody th").nth(1)).to_contain_text(evil)
    assert page.locator("main img").count() == 0


@pytest.mark.parametrize("locale", ["en-GB", "sv-SE"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_answer_fits_a_phone_and_speaks_the_page_s_language(visit, locale, scheme):
    options = {"viewport": {"width": 360, "height": 740}, "locale": locale, "color_scheme": scheme}
    page = visit("#/judge", **options)
    expect(page.locator(".drop-zone")).to_be_visible()
    drop(page, runs("a_rather_long_name_of_a_knob_that_somebody_chose_without_a_thought"))
    expect(page.locator(".claims .badge")).to_have_count(2)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    text = page.locator("main").inner_text()
    assert not re.search(r"\bui\.\w+", text)
    assert ("Bedöm" in text) == (locale == "sv-SE")
