"""Labs and runs of programs: everything is shown in their own metrics, and nothing starts them."""

import re
import sys

import pytest
from playwright.sync_api import Page, expect

import siffra

PROGRAM = """
import json, sys
lr, seed = float(sys.argv[1]), int(sys.argv[2])
if lr > 2 and seed == 1:
    sys.exit("out of <b>memory</b>")
for epoch in (1, 2, 3):
    extras = {f"layer {i}": i / epoch for i in range(14)}
    print(json.dumps({"epoch": epoch, "val_loss": 1 / lr / epoch + seed / 100} | extras))
print(json.dumps({"val_loss": 0.3 / lr + seed / 1000, "test": 97.5 + seed}))
"""


@pytest.fixture
def shown(browser, fresh):
    """`shown("runs")` opens a view of a store with the lab of a program."""
    program = fresh.store.with_name("train.py")
    program.write_text(PROGRAM)
    siffra.vary(
        {"lr": [0.5, 1.0, 3.0]},
        command=[sys.executable, str(program), "{lr}", "{seed}"],
        metric=("val_loss:lower", "test:higher"),
        seeds=5,
        store=fresh.store,
    )
    fresh.let_in(fresh.start())
    complaints: list[str] = []
    context = browser.new_context(storage_state=fresh.cookies, locale="en-GB")
    page = context.new_page()
    page.on("console", lambda m: complaints.append(m.text) if m.type != "log" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def view(place: str) -> Page:
        page.goto(f"{fresh.base}/#/{place}")
        return page

    yield view
    assert "NaN" not in page.locator("main").inner_text()
    context.close()
    assert complaints == []


def test_a_lab_is_shown_in_its_metrics_and_has_no_start_button(shown):
    page = shown("labs")
    page.locator(".cards > li a").click()
    page.locator(".questions summary").first.click()

    expect(page.locator(".levels-table tbody tr").nth(2)).to_contain_text("1 of 5")
    per_epoch, against_knob = page.locator(".charts figure").all()
    expect(per_epoch).to_be_visible()
    page.get_by_role("button", name="test", exact=True).click()
    expect(per_epoch).to_be_hidden()  # it told that once, in the end
    expect(against_knob.locator(".uplot")).to_be_visible()
    expect(page.locator("[data-action=start]")).to_be_hidden()
    expect(page.locator("pre").last).to_contain_text("vary = { lr = [0.5, 1.0, 3.0] }")


def test_its_runs_have_columns_of_their_own(shown):
    page = shown("runs?where=lr%3D3")
    expect(page.locator("table.runs tbody tr")).to_have_count(5)
    expect(page.locator("[data-column=val_loss]")).to_be_visible()
    page.click("[data-column=val_loss]")
    expect(page.locator("[aria-sort=descending] [data-column=val_loss]")).to_be_focused()

    boxes = page.locator("table.runs tbody input")
    boxes.nth(0).check()
    boxes.nth(1).check()
    page.click(".compare-bar a")

    expect(page.locator("table").last).to_contain_text("val_loss")
    expect(page.locator("h1")).to_have_text(re.compile("^(lr|Seeds) "))
    charts = page.get_by_role("group").filter(has=page.locator(".uplot"))
    expect(charts.first).to_have_attribute("aria-label", "val_loss")
    expect(page.locator(".uplot")).to_have_count(12)
    expect(page.locator(".uplot").first.locator(".ends li")).to_have_text(["A", "B"])
    page.get_by_role("button", name="Draw the other 3 curves").click()
    expect(page.locator(".uplot")).to_have_count(15)
    expect(page.locator(".more")).to_have_count(0)


def test_a_run_of_it_says_why_it_failed_and_cannot_be_trained(shown):
    page = shown("runs?where=failure%20!%3D%20x&sort=failure&order=asc")
    page.locator("table.runs tbody a").first.click()

    expect(page.locator("h1")).to_have_text("One run of a program, seed 1")
    expect(page.locator("pre").first).to_have_text("out of <b>memory</b>")
    expect(page.locator("[data-action=make-model]")).to_have_count(0)
    page.click(".eyebrow a")
    page.locator("table.runs tbody tr").last.locator("a").first.click()
    expect(page.locator(".scores")).to_contain_text("val_loss")
    expect(page.get_by_role("group", name="val_loss").locator(".uplot")).to_be_visible()
    expect(page.get_by_role("group", name="test")).to_have_count(0)  # it told that once
