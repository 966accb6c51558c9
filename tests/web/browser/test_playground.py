"""The playground: a digit under the hand, and what the networks say of it."""

import re

import pytest
from playwright.sync_api import expect


@pytest.fixture
def page(visit):
    opened = visit("#/playground?digit=0")
    heard(opened)
    return opened


def heard(page) -> None:
    """Wait until every network has spoken."""
    expect(page.locator(".network-card").first).to_be_visible()
    for card in page.locator(".network-card").all():
        expect(card.locator(".says")).not_to_be_empty()


def opinion(page, model: str):
    return page.locator(f".network-card[data-model={model}]")


def place(page) -> dict[str, float]:
    return {
        name: float(page.locator(f".sliders input[name={name}]").input_value())
        for name in ("dx", "dy", "angle", "scale")
    }


def middle(page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_test_digit_is_seen_for_what_it_is(page):
    for card in page.locator(".network-card").all():
        expect(card).to_have_class(re.compile("right"))
        expect(card.locator(".bars li.said.truth .digit")).to_have_text("7")
        expect(card.locator(".response canvas")).to_be_visible()


def test_dragged_far_enough_the_dense_network_loses_the_digit_and_the_recipe_does_not(page):
    x, y = middle(page, ".stage")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=12)

    expect(opinion(page, "dense")).to_have_class(re.compile("wrong"))
    expect(opinion(page, "recipe")).to_have_class(re.compile("right"))
    assert place(page)["dx"] > 3
    page.mouse.up()
    page.click("[data-tool=reset]")
    expect(opinion(page, "dense")).to_have_class(re.compile("right"))


def test_the_handle_turns_it(page):
    page.hover(".handle")
    x, y = middle(page, ".stage")
    page.mouse.down()
    page.mouse.move(x - 100, y, steps=8)  # a quarter turn to the left
    page.mouse.up()

    assert abs(place(page)["angle"] - 90) < 3


def test_the_wheel_scales_it(page):
    page.hover(".stage")
    page.mouse.wheel(0, -100)

    expect(page.locator(".sliders input[name=scale]")).not_to_have_value("1")
    assert place(page)["scale"] > 1


def test_the_keyboard_does_all_of_it(page):
    page.focus(".stage")
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Shift+ArrowLeft", "+"):
        page.keyboard.press(key)
    assert place(page) == {"dx": 2, "dy": 1, "angle": 5, "scale": 1.1}

    page.keyboard.press("Tab")
    expect(page.locator(".handle")).to_be_focused()
    page.keyboard.press("ArrowRight")
    assert place(page)["angle"] == 0

    page.focus(".stage")
    page.keyboard.press("0")
    assert place(page) == {"dx": 0, "dy": 0, "angle": 0, "scale": 1}


def test_a_place_on_a_map_takes_the_digit_there(page):
    square = opinion(page, "recipe").locator(".shift-map")
    box = square.bounding_box()
    square.click(position={"x": box["width"] - 4, "y": box["height"] / 2})

    assert place(page)["dx"] == 10
    assert place(page)["dy"] == 0
    spot = opinion(page, "dense").locator(".spot").evaluate("spot => parseFloat(spot.style.left)")
    assert spot > 90  # per cent: all maps show where the digit is


def test_the_lesson_goes_on_as_its_steps_are_done(page):
    line = page.locator(".lesson")
    expect(line).to_contain_text("5\u00a0pixels")
    page.focus(".stage")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(line).to_contain_text("30°")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowLeft")
    expect(line).to_contain_text("draw")


def test_maps_have_axes_and_a_line_where_half_is_read_right(page):
    card = opinion(page, "dense")
    expect(card.locator(".shift-map .edge")).to_have_attribute("d", re.compile("M"))
    expect(card.locator(".ticks.below").first).to_contain_text("px")
    expect(card.locator(".ticks.left").last).to_contain_text("50")


def test_on_a_phone_the_pad_stays_in_sight_and_its_tools_are_at_hand(visit):
    page = visit("#/playground?digit=0", viewport={"width": 390, "height": 844}, has_touch=True)
    heard(page)
    tools = page.locator(".hand-tools").bounding_box()
    assert tools["y"] < page.locator(".networks").bounding_box()["y"]

    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")

    page.wait_for_function("document.querySelector('.stage').getBoundingClientRect().top >= 0")


def test_the_place_is_in_the_address(page):
    page.focus(".stage")
    page.keyboard.press("ArrowRight")
    expect(page).to_have_url(re.compile("digit=0&dx=1"))

    page.reload()

    heard(page)
    assert place(page)["dx"] == 1


def test_a_digit_is_drawn_by_hand(page):
    page.locator("[role=group] button").nth(1).click()
    x, y = middle(page, ".stage")
    page.mouse.move(x, y - 80)
    page.mouse.down()
    page.mouse.move(x - 8, y + 80, steps=15)
    page.mouse.up()

    heard(page)
    expect(opinion(page, "dense").locator(".bars li.said")).to_have_count(1)
    expect(opinion(page, "dense")).not_to_have_class(re.compile("right|wrong"))
    inked = "canvas => canvas.getContext('2d').getImageData(0, 0, 28, 28).data.some(v => v > 200)"
    assert page.locator(".seen canvas").evaluate(inked)
    page.click("[data-tool=fit]")
    expect(opinion(page, "recipe").locator(".bars li.said .digit")).to_have_text("1")


def test_a_digit_is_drawn_with_the_keyboard_alone(page):
    page.locator("[role=group] button").nth(1).focus()
    page.keyboard.press("Enter")
    page.focus(".stage")
    for key in (*["ArrowUp"] * 16, " ", *["ArrowDown"] * 32, " "):
        page.keyboard.press(key)

    inked = "canvas => canvas.getContext('2d').getImageData(14, 6, 1, 16).data.some(v => v > 200)"
    page.wait_for_function(f"({inked})(document.querySelector('.seen canvas'))")


def test_another_digit_can_be_taken_from_the_shelf(page):
    page.locator(".shelf button").nth(3).click()

    expect(opinion(page, "recipe").locator(".bars li.truth .digit")).to_have_text("3")
    expect(page).to_have_url(re.compile("digit=18"))


def test_nothing_is_judged_while_the_sheet_is_empty(page):
    page.locator("[role=group] button").nth(1).click()

    for card in page.locator(".network-card").all():
        expect(card.locator(".says")).to_have_text("Draw a digit")
        expect(card.locator(".bars li.said")).to_have_count(0)
    page.locator("[role=group] button").first.click()  # to be moved, which empties nothing
    expect(page.locator(".network-card .says").first).to_have_text("Draw a digit")
    page.locator("[role=group] button").nth(1).click()
    x, y = middle(page, ".stage")
    page.mouse.move(x, y - 40)
    page.mouse.down()
    page.mouse.move(x, y + 40, steps=8)
    page.mouse.up()
    expect(page.locator(".bars li.said")).to_have_count(2)


def test_an_address_with_a_place_that_is_no_number_is_read_without_it(visit):
    opened = visit("#/playground?digit=0&angle=NaN&dx=Infinity&dy=2")

    heard(opened)
    assert place(opened) == {"dx": 0, "dy": 2, "angle": 0, "scale": 1}
