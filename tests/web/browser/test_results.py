"""Labs and runs: what was found, looked at again."""

import csv
import io
import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def page(visit, tiny):
    """A page on a bench where one question has been answered."""
    opened = visit(f"#/ask?model=dense&vary=neurons:2,4&epochs=2&seeds=2&data={tiny}")
    expect(opened.locator(".cost")).not_to_be_empty()
    if opened.locator("button.primary").is_enabled():
        opened.click("button.primary")
    expect(opened.locator(".status .state-done")).to_be_visible()
    return opened


def go(page, view: str) -> None:
    page.click(f"nav a[href='#/{view}']")
    expect(page.locator(f"nav a[href='#/{view}'][aria-current]")).to_be_visible()


def column(page, name: str) -> list[str]:
    """What the table's cells under a heading say."""
    cells = "[...document.querySelectorAll('table.runs tr')].map(row => row.cells[{}].innerText)"
    heading = f"document.querySelector('[data-column={name}]').closest('th').cellIndex"
    return page.evaluate(cells.format(heading))[1:]


def test_every_lab_is_listed_with_its_verdicts(page):
    asked = page.locator(".earlier a[aria-current]").get_attribute("href")
    go(page, "labs")

    lab = page.locator(".cards > li").filter(has=page.locator(f"a[href='{asked}']"))
    expect(lab.locator(".badge")).to_have_count(1)
    lab.locator("a").click()
    expect(page.locator(".claims .badge")).to_have_count(1)


def test_a_lab_in_full_opens_its_questions_and_its_report(page):
    asked = page.locator(".earlier a[aria-current]").get_attribute("href")
    page.goto(page.url.partition("#")[0] + asked.replace("ask?lab=", "labs/"))

    expect(page.locator(".answer")).not_to_be_empty()
    page.locator(".questions summary").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".levels-table tbody tr")).to_have_count(2)
    with page.context.expect_page() as opened:
        page.click("a[target=_blank]")
    report = opened.value
    expect(report.locator("h1")).not_to_be_empty()
    assert report.locator("figure").count() > 0


def test_the_study_tells_its_cost_and_can_be_started_and_cancelled(page, idle):
    go(page, "labs")
    expect(page.locator(".study [role=status]")).not_to_be_empty()
    # How many runs, and not how long: that depends on how busy the machine is.
    runs = page.locator(".study [role=status]").inner_text().partition(",")[0]
    page.select_option("#preset", "full")
    expect(page.locator(".study [role=status]")).not_to_contain_text(runs)
    page.select_option("#preset", "quick")
    expect(page.locator(".study [role=status]")).to_contain_text(runs)

    page.click(".study button.primary")

    expect(page.locator(".status .state-running")).to_be_visible()
    expect(page.locator(".questions details")).not_to_have_count(0)
    page.click("[data-action=cancel]")
    expect(page.locator(".status .state-stopped")).to_be_visible()


def test_runs_are_sorted_by_any_column(page):
    go(page, "runs")
    expect(page.locator("table.runs tbody tr")).not_to_have_count(0)

    page.click("[data-column=test]")
    expect(page.locator("[aria-sort=descending] [data-column=test]")).to_be_focused()
    falling = column(page, "test")
    assert falling == sorted(falling, key=float, reverse=True)

    page.keyboard.press("Enter")
    expect(page.locator("[aria-sort=ascending] [data-column=test]")).to_be_visible()
    assert column(page, "test") == falling[::-1]


def test_runs_are_filtered_and_the_address_says_so(page, tiny):
    go(page, "runs")
    for column, value in (("neurons", "4"), ("seed", "0"), ("dataset", tiny)):
        page.select_option("#where", column)
        page.fill(".filters input", value)
        page.keyboard.press("Enter")

    expect(page.locator("table.runs tbody tr")).to_have_count(1)
    page.reload()
    expect(page.locator(".chip")).to_have_text(
        [re.compile("^neurons = 4"), "seed = 0×", re.compile("^data = ")]
    )
    expect(page.locator("table.runs tbody tr")).to_have_count(1)
    page.locator(".chip button").first.click()
    expect(page.locator(".chip")).to_have_count(2)
    expect(page.locator("table.runs tbody tr")).not_to_have_count(1)


def test_conditions_count_before_the_server_has_answered(page, tiny):
    go(page, "runs")
    expect(page.locator("table.runs tbody tr")).not_to_have_count(0)
    held = []
    page.route("**/api/runs?*", lambda route: held.append(route))
    for column, value in (("neurons", "4"), ("seed", "0"), ("dataset", tiny)):
        page.select_option("#where", column)
        page.fill(".filters input", value)
        page.keyboard.press("Enter")
    page.wait_for_function("() => location.hash.includes('dataset')")

    for route in reversed(held):  # the first question's answer comes last
        route.continue_()

    expect(page.locator(".chip")).to_have_count(3)
    expect(page.locator("table.runs tbody tr")).to_have_count(1)
    page.wait_for_load_state("networkidle")
    expect(page.locator("table.runs tbody tr")).to_have_count(1)


def test_a_filter_that_no_run_meets_is_said_and_taken_back(page):
    page.goto(page.url.partition("#")[0] + "#/runs?where=neurons%3D4&where=test%3E99.9")

    expect(page.locator("main")).to_contain_text("No run has neurons = 4, test % > 99.9.")
    page.locator(".scroll button").click()
    expect(page.locator("table.runs tbody tr")).not_to_have_count(0)
    expect(page.locator(".chip")).to_have_count(0)


def test_a_run_is_opened_by_its_row_and_names_its_question(page, tiny):
    page.goto(page.url.partition("#")[0] + f"#/runs?where=dataset%3D{tiny}")
    row = page.locator("table.runs tbody tr").first
    expect(row.locator("a").last).to_have_attribute("href", re.compile("#/labs/"))
    row.locator("td").nth(3).click()

    expect(page.locator(".scores")).to_be_visible()


def test_runs_are_exported_as_they_are_filtered(page):
    page.goto(page.url.partition("#")[0] + "#/runs?where=neurons%3D4")
    with page.expect_download() as told:
        page.click("a[download='runs.csv']")
    rows = list(csv.DictReader(io.StringIO(told.value.path().read_text("utf-8"))))
    assert {row["neurons"] for row in rows} == {"4"}

    with page.expect_download() as told:
        page.click("a[download='runs.parquet']")
    assert told.value.path().read_bytes().startswith(b"PAR1")


def test_one_run_in_full(page, tiny):
    page.goto(page.url.partition("#")[0] + f"#/runs?where=dataset%3D{tiny}")
    page.locator("table.runs tbody a").first.click()

    expect(page.locator(".scores dd")).to_have_count(6)
    expect(page.locator(".uplot")).to_be_visible()
    expect(page.locator("table.confusion tbody tr")).to_have_count(10)
    expect(page.locator("pre").first).to_contain_text("siffra train")
    page.locator("section button[aria-pressed=false]").first.click()
    expect(page.locator("table.confusion tbody tr")).to_have_count(10)


def test_a_run_is_trained_once_more_to_show_its_mistakes(page):
    page.goto(page.url.partition("#")[0] + "#/runs?where=neurons%3D4")
    page.locator("table.runs tbody a").first.click()
    expect(page.locator("table.confusion")).to_be_visible()
    if page.locator(".mistakes").count() == 0:
        page.click("[data-action=make-model]")

    expect(page.locator(".mistakes li")).not_to_have_count(0)


def test_runs_are_compared_each_with_the_first(page, tiny):
    page.goto(page.url.partition("#")[0] + f"#/runs?where=dataset%3D{tiny}&where=seed%3D0")
    boxes = page.locator("table.runs tbody input")
    boxes.nth(0).check()
    expect(page.locator(".compare-bar")).to_contain_text("Select 2 to 8 runs")
    boxes.nth(1).check()
    page.click(".compare-bar a")

    results = page.locator(".columns table").last
    expect(results.locator("thead th")).to_have_text(["A", "B", "B − A"])
    expect(results.locator("tbody tr")).to_have_count(6)
    shares = [
        text.split()[0]
        for text in results.locator("tbody tr").first.locator("td").all_inner_texts()
    ]
    a, b, gap = (float(text.replace("−", "-")) for text in shares)
    assert gap == pytest.approx(b - a, abs=0.011)
    expect(page.locator(".uplot .ends li")).to_have_text(["A", "B"])
    expect(page.locator("table.confusion")).to_have_count(2)


def test_more_than_two_runs_are_compared_in_one_chart(page, tiny):
    page.goto(page.url.partition("#")[0] + f"#/runs?where=dataset%3D{tiny}")
    boxes = page.locator("table.runs tbody input")
    expect(boxes.nth(3)).to_be_visible()
    for i in range(4):
        boxes.nth(i).check()
    expect(page.locator(".compare-bar a")).to_have_text("Compare the 4 runs")
    page.click(".compare-bar a")

    names = ["A", "B", "C", "D"]
    expect(page.locator(".uplot .ends li")).to_have_text(names)
    heads = page.locator("main table:not(.confusion)").last.locator("thead th")
    expect(heads).to_have_text([*names, "B − A", "C − A", "D − A"])
    expect(page.locator("table.confusion")).to_have_count(4)
    page.locator(".uplot .ends button").first.click()
    expect(page.locator(".uplot .ends button").first).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("runs", [1, 2, 3, 4])
def test_of_however_many_runs_headings_are_of_one_size_and_matrices_whole(page, bench, tiny, runs):
    keys = [run["key"] for run in bench.call("GET", f"/api/runs?where=dataset%3D{tiny}")["runs"]]
    page.goto(page.url.partition("#")[0] + f"#/runs/{'/'.join(keys[:runs])}")
    expect(page.locator("table.confusion")).to_have_count(runs)

    sizes = "all => [...new Set(all.map(each => getComputedStyle(each).fontSize))]"
    assert page.locator("main h2").evaluate_all(sizes) == ["16px"]
    cut = "all => all.filter(box => box.scrollWidth > box.clientWidth).length"
    assert page.locator(".scroll:has(.confusion)").evaluate_all(cut) == 0


def test_what_is_wider_than_a_phone_says_so_and_is_scrolled_by_keys(page, tiny):
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(page.url.partition("#")[0] + f"#/runs?where=dataset%3D{tiny}")
    page.locator("table.runs tbody a").first.click()
    box = page.get_by_role("group", name="Confusion matrix")
    expect(box).to_have_attribute("tabindex", "0")
    assert "gradient" in box.evaluate("box => getComputedStyle(box).backgroundImage")

    box.focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("box => box.scrollLeft > 0", arg=box.element_handle())

    page.set_viewport_size({"width": 1280, "height": 740})
    expect(box).not_to_have_attribute("tabindex", "0")


def test_a_lab_that_was_stopped_before_its_first_run_promises_none(visit, bench, idle):
    bench.call("POST", "/api/jobs/pause")
    lab = bench.call("POST", "/api/study")["id"]
    bench.call("POST", f"/api/labs/{lab}/cancel")
    page = visit(f"#/labs/{lab}?question=a")

    expect(page.locator(".card .claims li")).not_to_have_count(0)
    expect(page.locator(".status .state-stopped")).to_be_visible()
    expect(page.locator(".card")).not_to_contain_text("are being trained")
    expect(page.locator(".questions .skeleton").first).to_be_hidden()
