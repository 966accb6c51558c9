"""The Ask view: from a question to its verdict, in a real browser."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

SLOW = "#/ask?model=dense&vary=neurons:32,48&epochs=100&seeds=3"
"""A question that takes long enough to be looked at while it is answered."""


def quick(tiny: str, more: str = "") -> str:
    return f"#/ask?model=dense&vary=neurons:2,4&epochs=2&seeds=2&data={tiny}{more}"


def start(page) -> None:
    expect(page.locator("button.primary")).to_be_enabled()
    page.click("button.primary")


def wait_for(page, state: str) -> None:
    expect(page.locator(f".status .state-{state}")).to_be_visible()


@pytest.fixture
def answered(visit, tiny):
    """A page with a question that has been answered."""
    page = visit(quick(tiny))
    expect(page.locator(".cost")).not_to_be_empty()
    if page.locator("button.primary").is_enabled():
        start(page)
    wait_for(page, "done")
    return page


def test_a_question_is_asked_and_gets_its_verdict(answered):
    expect(answered.locator(".answer")).not_to_be_empty()
    expect(answered.locator(".card.provisional")).to_have_count(0)
    expect(answered.locator(".claims .badge")).to_have_count(1)
    rows = answered.locator(".levels-table tbody tr")
    expect(rows).to_have_count(2)
    for row in rows.all():
        expect(row.locator("td").last).to_have_text("2")  # n
    expect(answered.locator(".claims .dots .in")).to_have_count(2)
    expect(answered.locator(".claims .difference circle.mean")).to_have_count(1)
    expect(answered.locator(".charts .uplot")).to_have_count(2)  # per epoch, and against the knob
    expect(answered.locator(".earlier a[aria-current]")).to_have_count(1)


def test_from_question_to_verdict_by_keyboard_alone(visit, tiny, idle):
    page = visit(f"#/ask?model=dense&vary=neurons:2,4&epochs=2&seeds=5&data={tiny}")
    expect(page.locator("#levels-0")).to_be_visible()
    page.keyboard.press("n")
    expect(page.locator("#levels-0")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("3, 5")
    expect(page.locator(".cost")).to_contain_text("10 runs")
    while not page.locator("button.primary").evaluate(
        "button => button === document.activeElement"
    ):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    wait_for(page, "done")

    expect(page.locator(".answering")).to_be_focused()  # the answer comes where one is
    expect(page.locator(".claims .badge")).to_have_count(1)
    for _ in range(40):  # through the answer to what repeats it
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.copyable button')"):
            break
    else:
        pytest.fail("the command cannot be reached")


def test_the_question_can_be_repeated_without_the_page(answered):
    expect(answered.locator("pre").first).to_contain_text("siffra vary neurons=2,4")
    answered.click(".answering details summary")
    expect(answered.locator(".answering details pre")).to_contain_text("[[questions]]")


def test_asked_again_it_is_answered_at_once(answered, visit):
    again = visit(answered.url.partition("/#")[2] and "#" + answered.url.partition("#")[2])

    wait_for(again, "done")
    expect(again.locator("button.primary")).to_be_disabled()
    expect(again.locator(".claims .badge")).to_have_count(1)


def test_the_sets_can_be_switched_and_the_address_says_so(answered):
    answered.locator(".chart-head .choices button").nth(2).click()

    expect(answered.locator(".chart-head [aria-pressed=true]")).to_have_count(1)
    expect(answered).to_have_url(re.compile("set=rotated"))
    answered.reload()
    expect(answered.locator(".chart-head .choices button").nth(2)).to_have_attribute(
        "aria-pressed", "true"
    )


def test_a_level_can_be_taken_out_of_the_picture(answered):
    first = answered.locator(".ends button").first
    first.click()

    expect(first).to_have_attribute("aria-pressed", "false")
    expect(first).to_be_focused()


def test_two_knobs_are_shown_crossed(visit, tiny, idle):
    page = visit(quick(tiny, "&vary=batch_size:20,50"))
    start(page)
    wait_for(page, "done")

    expect(page.locator(".crossing tbody tr")).to_have_count(2)
    expect(page.locator(".crossing tbody td")).to_have_count(4)
    expect(page.locator(".levels-table tbody tr")).to_have_count(4)


def test_the_cost_is_told_before_anything_starts(visit, tiny):
    page = visit(f"#/ask?vary=neurons:3,5,7&epochs=1&seeds=3&data={tiny}")

    expect(page.locator(".cost")).to_contain_text("9")
    page.fill("#levels-0", "3, 5")
    expect(page.locator(".cost")).to_contain_text("6")
    expect(page).to_have_url(re.compile("neurons%3A3%2C5&"))


def test_what_cannot_be_trained_is_said_at_once(visit, tiny):
    page = visit(f"#/ask?vary=learning_rate:0.1,-3&epochs=1&seeds=2&data={tiny}")

    expect(page.locator(".ask .refusal")).to_contain_text("learning rate")
    expect(page.locator("button.primary")).to_be_disabled()


@pytest.mark.parametrize("model", ["dense", "conv"])
def test_what_is_suggested_for_a_knob_can_be_trained(visit, model):
    page = visit("#/ask")
    expect(page.locator("#levels-0")).to_be_visible()

    refused = page.evaluate(
        """async (model) => {
          const { companions, toAsk } = await load("ask/setup.js");
          const { knobs } = await (await fetch("/api/knobs")).json();
          const refused = {};
          for (const knob of knobs.filter((each) => each.models.includes(model))) {
            const fixed = { epochs: "1", ...companions(knob, model) };
            const setup = { model, vary: [[knob.name, knob.suggested]], fixed, seeds: "2" };
            const told = await fetch("/api/estimate", {
              method: "POST",
              headers: { "Content-Type": "application/json" },
              body: JSON.stringify(toAsk(setup)),
            });
            const { why, error } = await told.json();
            if (error) refused[knob.name] = why ?? error;
          }
          return refused;
        }""",
        model,
    )

    assert refused == {}


def test_reloaded_mid_run_it_shows_where_it_is(visit, idle):
    page = visit(SLOW)
    start(page)
    wait_for(page, "running")

    page.reload()

    wait_for(page, "running")
    expect(page.locator(".at-work")).to_be_visible()
    expect(page.locator(".card.provisional")).to_be_visible()
    expect(page.locator(".status")).to_contain_text("of 100")  # the epoch of the run at work


def test_epochs_are_drawn_no_oftener_than_leaves_time_to_use_the_page(visit, tiny, idle):
    page = visit(f"#/ask?model=dense&vary=neurons:34,50&epochs=1000&seeds=50&data={tiny}")
    start(page)
    expect(page.locator(".status .soft")).to_contain_text(re.compile("epoch [1-9]"))

    heard, ended, missing = page.evaluate(
        """async () => {
          const { jobs, onJobs } = await load("jobs.js");
          let heard = 0;
          let missing = 0;
          const stop = onJobs((kind) => {
            if (kind !== "epoch") return;
            heard += 1;
            const { run } = jobs().running;
            if (run && run.curve.length !== run.epoch) missing += 1;
          });
          const start = performance.now();
          await new Promise((done) => setTimeout(done, 3000));
          stop();
          return [heard, performance.now() - start, missing];
        }"""
    )

    assert 0 < heard <= ended / 100 + 1  # a tenth of a second lies between two
    assert missing == 0
    page.click("[data-action=cancel]")
    wait_for(page, "stopped")


def test_a_page_without_a_question_shows_the_one_at_work(visit, idle):
    page = visit(SLOW)
    start(page)
    wait_for(page, "running")

    other = visit("", beside=page)

    wait_for(other, "running")
    expect(other.locator("#levels-0")).to_have_value("32, 48")


def test_held_and_gone_on_with_and_cancelled(visit, idle):
    page = visit(SLOW)
    start(page)
    wait_for(page, "running")

    page.click("[data-action=pause]")
    wait_for(page, "paused")
    page.click("[data-action=resume]")
    wait_for(page, "running")
    page.click("[data-action=cancel]")
    wait_for(page, "stopped")

    expect(page.locator("[data-action=start]")).to_be_visible()


def test_questions_wait_for_each_other(visit, tiny, idle):
    page = visit(SLOW)
    start(page)
    wait_for(page, "running")

    second = visit(f"#/ask?vary=neurons:6,7&epochs=1&seeds=2&data={tiny}", beside=page)
    start(second)
    wait_for(second, "queued")
    page.click("[data-action=cancel]")

    wait_for(second, "done")


def test_images_of_ones_own_can_be_asked_about(visit, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    x = rng.integers(0, 90, (40, 12, 12)) + 120 * y[:, np.newaxis, np.newaxis]
    np.savez(tmp_path / "squares.npz", x_train=x.astype(np.uint8), y_train=y,
             x_test=x.astype(np.uint8), y_test=y)  # fmt: skip
    page = visit("#/ask?vary=neurons:2,3&epochs=1&seeds=2")
    page.click(".held summary")
    page.set_input_files(".held input[type=file]", tmp_path / "squares.npz")

    expect(page.locator("#data option:checked")).to_have_text("squares")
    start(page)
    wait_for(page, "done")


def test_a_question_that_is_gone_is_told_beside_a_form_that_works(browser, bench):
    context = browser.new_context(storage_state=bench.cookies)  # its console hears of the 404
    page = context.new_page()
    page.goto(f"{bench.base}/#/ask?lab=0000000000000000")

    expect(page.locator(".ask .refusal")).not_to_be_empty()
    expect(page.locator(".sentence #levels-0")).to_be_visible()
    expect(page.locator("button.primary")).to_be_enabled()
    page.fill("#levels-0", "0.1, 0.2")
    expect(page.locator(".ask .refusal")).to_be_empty()
    context.close()


@pytest.mark.parametrize(
    ("field", "typed"), [("levels-0", "-1, 2"), ("seeds", "0"), ("epochs", "-3")]
)
def test_a_mistake_is_told_at_its_field(visit, field, typed):
    page = visit("#/ask?model=dense&vary=learning_rate:0.1,0.2&epochs=2&seeds=2")
    expect(page.locator("button.primary")).to_be_enabled()
    right = page.locator(f"#{field}").input_value()

    page.fill(f"#{field}", typed)

    expect(page.locator(f"#{field}")).to_have_attribute("aria-invalid", "true")
    expect(page.locator(f"#{field}")).to_have_attribute("aria-describedby", "refusal")
    expect(page.locator(".sentence + .refusal")).to_be_visible()  # right below its field
    expect(page.locator(".ask .refusal")).not_to_be_empty()
    page.fill(f"#{field}", right)
    expect(page.locator("[aria-invalid]")).to_have_count(0)
    expect(page.locator(".ask .refusal")).to_be_empty()


def test_no_verdict_is_shown_before_there_is_anything_to_judge(visit, idle):
    page = visit(SLOW)
    start(page)

    expect(page.locator(".status .state-running")).to_be_visible()
    expect(page.locator(".claims .dots i")).to_have_count(3)
    for early in (".claims .badge", ".dots .in", ".levels-table", ".copyable", ".estimate"):
        expect(page.locator(f".answering {early}")).to_have_count(0)
    assert "unknown" not in page.locator(".answering").inner_text()


def test_who_comes_without_a_question_sees_one_with_its_answer(visit):
    page = visit("")

    expect(page.locator(".example-answer .badge").first).to_have_text("Example")
    expect(page.locator(".example-answer .claims .badge.supported")).to_have_count(2)
    expect(page.locator(".example-answer .charts .uplot")).to_have_count(2)
    expect(page.locator(".moving b")).to_have_text([re.compile(r"^\d")] * 2)


def test_the_moving_digit_stops_where_one_network_errs_and_the_other_does_not(visit):
    page = visit("", reduced_motion="reduce")

    expect(page.locator(".moving b").first).to_have_class("wrong")
    expect(page.locator(".moving b").last).to_have_class("right")


def test_curves_end_where_the_table_says(answered):
    lab = answered.locator(".earlier a[aria-current]").get_attribute("href").partition("=")[2]
    told = answered.evaluate(
        """async (lab) => {
          const { questions } = await (await fetch(`/api/labs/${lab}`)).json();
          const address = `/api/labs/${lab}/curves?question=${questions[0].id}`;
          const curves = await (await fetch(address)).json();
          return questions[0].levels.map((level, i) =>
            [level.accuracy.test.mean, curves.levels[i].band.test.mean.at(-1)]);
        }""",
        lab,
    )

    assert [table for table, _ in told] == [curve for _, curve in told]


def test_menus_look_like_menus_where_colours_are_the_system_s(visit):
    page = visit("#/ask", forced_colors="active")

    expect(page.locator(".sentence select").first).to_have_css("appearance", "auto")


def test_outcomes_of_earlier_questions_are_named_as_on_their_cards(visit, answered):
    def supported(route):
        told = route.fetch().json()
        for i, lab in enumerate(told["labs"]):
            lab |= {"state": "done", "tally": {"supported": 1}, "ad_hoc": i == 0}
        route.fulfill(json=told)

    page = visit("#/labs", beside=answered)
    page.route("**/api/labs?*", supported)
    page.reload()

    badges = page.locator(".cards .badge")
    expect(badges.first).to_have_text("better · 1")
    for badge in badges.all()[1:]:
        expect(badge).to_have_text("supported · 1")
    page.goto(page.url.replace("#/labs", "#/ask"))
    expect(page.locator(".earlier .badge")).to_have_text(["better · 1"])


class TestReadout:
    @pytest.fixture
    def chart(self, visit):
        """Where the curves of the example are drawn: three levels over three epochs."""
        over = visit("#/ask").locator(".example-answer .u-over").first
        expect(over).to_be_visible()
        expect(over.page.locator(".moving b.wrong, .moving b.right").first).to_be_visible()
        return over

    def test_the_values_under_the_pointer_are_shown(self, chart):
        readout = chart.locator(".readout")
        expect(readout).to_be_hidden()

        chart.hover()

        expect(readout.locator("p")).to_have_text("epoch 2")
        expect(readout.locator("li span")).to_have_text(["0.02", "0.7", "1"])
        chart.page.mouse.move(0, 0)
        expect(readout).to_be_hidden()

    def test_arrow_keys_go_from_epoch_to_epoch_and_the_last_is_as_in_the_table(self, chart):
        means = chart.page.locator(".levels-table tbody tr td:nth-child(2)").all_inner_texts()

        chart.focus()
        chart.press("End")

        expect(chart).to_have_attribute("aria-valuenow", "3")
        said = chart.get_attribute("aria-valuetext") or ""
        values = re.findall(r"([\d.]+)\xa0% \(", said)
        assert [float(value) for value in values] == pytest.approx(
            [float(mean.split()[0]) for mean in means], abs=0.05
        )
        chart.press("ArrowLeft")
        expect(chart).to_have_attribute("aria-valuenow", "2")
        chart.press("Home")
        expect(chart).to_have_attribute("aria-valuenow", "1")
        chart.evaluate("chart => chart.blur()")
        expect(chart.locator(".readout")).to_be_hidden()

    def test_what_is_marked_is_shown_larger_until_it_is_clicked_twice(self, chart):
        page = chart.page
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        heights = "() => [...document.querySelectorAll('.ends li')].map(e => e.style.cssText)"
        before = page.evaluate(heights)

        page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 50, steps=4)
        page.mouse.up()

        page.wait_for_function(f"before => String(({heights})()) !== String(before)", arg=before)
        chart.dblclick()
        page.wait_for_function(f"before => String(({heights})()) === String(before)", arg=before)

    def test_a_curve_that_is_taken_out_is_not_read(self, chart):
        chart.page.locator(".ends button").first.click()

        chart.focus()
        chart.press("End")

        expect(chart.locator(".readout li span")).to_have_text(["0.7", "1"])


def test_on_a_phone_the_values_of_a_curve_stay_on_the_page(visit):
    page = visit("#/ask", viewport={"width": 360, "height": 740})
    chart = page.locator(".example-answer .u-over").first
    expect(chart).to_be_visible()
    chart.focus()

    for _ in range(3):
        chart.press("ArrowRight")
        box = chart.locator(".readout").bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 360
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
