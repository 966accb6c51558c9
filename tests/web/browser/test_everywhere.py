"""What holds on every view: keyboard, names, narrow windows, languages, themes, two tabs."""

import re

import pytest
from playwright.sync_api import expect

VIEWS = ("#/ask", "#/judge", "#/playground", "#/labs", "#/runs")
SLOW = "#/ask?model=dense&vary=neurons:32,48&epochs=100&seeds=3"

# Whether the element in focus is marked as such.
MARKED = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
}"""


def settled(page) -> None:
    expect(page.locator("nav a[aria-current]")).to_be_visible()
    page.wait_for_load_state("load")
    expect(page.locator("main > *").first).to_be_attached()
    if "playground" in page.url:
        expect(page.locator(".network-card .says").first).not_to_be_empty()
    elif "ask" in page.url:
        expect(page.locator("#levels-0")).to_be_visible()


@pytest.mark.parametrize("view", VIEWS)
def test_every_control_has_a_name(visit, view, nameless):
    page = visit(view)
    settled(page)

    assert nameless(page) == []


@pytest.mark.parametrize("view", VIEWS)
def test_whatever_is_in_focus_is_marked(visit, view):
    page = visit(view)
    settled(page)

    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break  # past the last one
        marked = page.evaluate(MARKED)
        assert marked, page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


@pytest.mark.parametrize("view", VIEWS)
def test_the_first_stop_skips_to_what_the_view_shows(visit, view):
    page = visit(view)
    settled(page)
    address = page.url
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()

    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")

    assert page.evaluate("document.activeElement.closest('main') !== null")
    assert page.url == address  # the view is in the address: it is not left


def test_a_question_is_asked_with_the_keyboard_alone(visit, tiny, idle):
    page = visit(f"#/ask?vary=neurons:2,4&epochs=1&seeds=2&data={tiny}")
    settled(page)
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "levels-0":
            break
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type("3, 5")
    expect(page.locator("button.primary")).to_be_enabled()
    page.keyboard.press("Enter")

    expect(page.locator(".status .state-done")).to_be_visible()
    expect(page.locator(".levels-table tbody th")).to_have_text(
        [re.compile("^3"), re.compile("^5")]
    )


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("locale", ["en-GB", "sv-SE"])
def test_a_phone_is_wide_enough(visit, view, locale):
    page = visit(view, viewport={"width": 360, "height": 740}, has_touch=True, locale=locale)
    settled(page)

    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.parametrize("view", VIEWS)
def test_swedish_is_spoken_throughout(visit, view):
    page = visit(view, locale="sv-SE")
    settled(page)

    assert page.locator("html").get_attribute("lang") == "sv"
    text = page.locator("body").inner_text()
    assert not re.search(r"\bui\.\w+", text)
    assert "Körningar" in text


def test_the_language_can_be_chosen_and_is_kept(visit):
    page = visit("#/labs")
    page.click(".switches button[lang=sv]")
    expect(page.locator("html")).to_have_attribute("lang", "sv")

    page.reload()

    expect(page.locator("h1")).to_have_text("Labbar")


def test_the_theme_follows_the_system_unless_one_is_chosen(visit):
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit("#/labs", color_scheme=scheme) for scheme in ("light", "dark"))
    assert light.evaluate(paper) != dark.evaluate(paper)

    dark.click(".theme")

    assert dark.evaluate(paper) == light.evaluate(paper)
    dark.reload()
    assert dark.evaluate(paper) == light.evaluate(paper)


def test_two_tabs_agree(visit, idle):
    one = visit(SLOW)
    expect(one.locator("button.primary")).to_be_enabled()
    other = visit(SLOW, beside=one)
    one.click("button.primary")
    expect(one.locator(".status .state-running")).to_be_visible()
    expect(other.locator(".at-work")).to_be_visible()
    other.reload()
    expect(other.locator(".status .state-running")).to_be_visible()

    other.click("[data-action=cancel]")

    expect(one.locator(".status .state-stopped")).to_be_visible()


def test_digits_are_turned_with_two_fingers(visit):
    page = visit("#/playground?digit=0", viewport={"width": 360, "height": 740}, has_touch=True)
    settled(page)
    box = page.locator(".stage").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    touches = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        fingers = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]
        touches.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": fingers})

    touch("touchStart", (x - 50, y), (x + 50, y))
    touch("touchMove", (x - 50, y), (x + 50, y - 100))  # up on the right: counter-clockwise
    touch("touchEnd")

    angle = float(page.locator("input[name=angle]").input_value())
    scale = float(page.locator("input[name=scale]").input_value())
    assert abs(angle - 45) < 3
    assert abs(scale - 2**0.5) < 0.05
