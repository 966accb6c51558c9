"""What axe-core finds on every view, in both themes and languages: nothing."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

AXE = Path(__file__).with_name("axe") / "axe.min.js"
# A theme changes colours alone, so that only contrast is looked at again.
RUN = """async (rules) => {
  const only = rules ? { runOnly: { type: "rule", values: rules } } : {};
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...only });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.join(" ")}: ${failureSummary}`));
}"""


def findings(page: Page) -> list[str]:
    """Everything that axe finds, in the light theme and in the dark one."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = page.evaluate(RUN, None)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    return found + page.evaluate(RUN, ["color-contrast"])


@pytest.fixture
def places(bench, tiny) -> dict[str, str]:
    """Every view by an address, with what shows that it is all there."""
    asked = {"vary": {"neurons": [2, 4]}, "fixed": {"model": "dense", "epochs": 2}, "seeds": 2}
    lab = bench.call("POST", "/api/ask", asked | {"data": tiny})["id"]
    while bench.call("GET", f"/api/labs/{lab}")["state"] != "done":
        pass
    first, second, *_ = bench.call("GET", f"/api/runs?where=dataset%3D{tiny}")["runs"]
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
        f"#/runs/{first['key']}": "table.confusion",
        f"#/runs/{first['key']}/{second['key']}": "table.confusion",
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
    page.keyboard.press("?")
    found["?"] = findings(page)

    assert {place: problems for place, problems in found.items() if problems} == {}


def test_axe_sees_what_is_wrong(visit):
    page = visit("#/labs")
    expect(page.locator("h1")).to_be_visible()
    page.evaluate(AXE.read_text("utf-8"))
    page.evaluate("document.querySelector('h1').append(document.createElement('img'))")

    assert any(problem.startswith("image-alt") for problem in findings(page))
