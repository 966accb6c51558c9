"""What axe-core finds on every view, in both themes and languages, wide and narrow: nothing."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize, expect
from web.browser.conftest import PAINTED
from web.browser.test_judge import drop, runs

AXE = Path(__file__).with_name("axe") / "axe.min.js"
# A theme changes colours alone, so that only what depends on them is looked at again.
COLOURS = ["color-contrast", "link-in-text-block"]
PHONE: ViewportSize = {"width": 360, "height": 740}
RUN = """async (rules) => {
  const only = rules ? { runOnly: { type: "rule", values: rules } } : {};
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...only });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`));
}"""


def findings(page: Page) -> list[str]:
    """Everything that axe finds: light, in the dark of the system and of the page, on a phone."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = page.evaluate(RUN, None)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found += page.evaluate(RUN, COLOURS)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    choose(page, "dark")
    found += page.evaluate(RUN, COLOURS)
    choose(page, "system")
    wide = page.viewport_size
    page.set_viewport_size(PHONE)
    page.evaluate(PAINTED)  # what is too wide now is known
    found += page.evaluate(RUN, None)
    page.set_viewport_size(wide or PHONE)
    return found


def choose(page: Page, theme: str) -> None:
    """By the page's own switch, also while a dialog is before it."""
    while page.evaluate("document.documentElement.dataset.theme ?? 'system'") != theme:
        page.evaluate("document.querySelector('.theme').click()")


@pytest.fixture
def places(bench, tiny) -> dict[str, str]:
    """Every view by an address, with what shows that it is all there."""
    asked = {"vary": {"neurons": [2, 4]}, "fixed": {"model": "dense", "epochs": 2}, "seeds": 2}
    lab = bench.call("POST", "/api/ask", asked | {"data": tiny})["id"]
    while bench.call("GET", f"/api/labs/{lab}")["state"] != "done":
        pass
    keys = [run["key"] for run in bench.call("GET", f"/api/runs?where=dataset%3D{tiny}")["runs"]]
    return {
        "#/ask": ".example-answer .moving b.wrong",
        f"#/ask?lab={lab}": ".charts .uplot",
        "#/ask?vary=learning_rate:0.1,-3": ".sentence + .refusal",
        "#/judge": ".drop-zone",
        "#/playground": ".network-card.right .ticks span",
        "#/labs": ".cards a",
        f"#/labs/{lab}": ".answer",
        "#/runs": "table.runs a",
        "#/runs?where=seed%3D77": ".chip",
        f"#/runs/{keys[0]}": "table.confusion",
        f"#/runs/{'/'.join(keys[:2])}": "table.confusion",
        f"#/runs/{'/'.join(keys[:4])}": "table.confusion",
    }


@pytest.mark.parametrize("locale", ["en-GB", "sv-SE"])
def test_axe_finds_nothing_on_any_view(visit, places, locale):
    page = visit("#/ask", locale=locale, reduced_motion="reduce")
    page.evaluate(AXE.read_text("utf-8"))
    found = {}
    for place, there in places.items():
        page.evaluate("place => { location.hash = place; }", place)
        expect(page.locator(there).first).to_be_visible()
        found[place] = findings(page)
    drop(page, runs(), target="body")
    expect(page.locator(".claims .badge").first).to_be_visible()
    found["a table"] = findings(page)
    page.keyboard.press("?")
    found["?"] = findings(page)

    assert {place: problems for place, problems in found.items() if problems} == {}


def test_axe_sees_what_is_wrong(visit):
    page = visit("#/labs")
    expect(page.locator("h1")).to_be_visible()
    page.evaluate(AXE.read_text("utf-8"))
    page.evaluate("document.querySelector('h1').append(document.createElement('img'))")

    assert any(problem.startswith("image-alt") for problem in findings(page))


def test_axe_finds_nothing_while_the_example_is_on_its_way(visit):
    page = visit("#/labs")
    page.evaluate(AXE.read_text("utf-8"))
    page.route("**/api/example*", lambda route: None)

    page.click("nav a[href='#/ask']")
    expect(page.locator("main .skeleton")).to_be_visible()

    assert findings(page) == []
