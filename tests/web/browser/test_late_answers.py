"""In whatever order answers come, and whatever is done meanwhile, the page shows the newest.

No test waits for a time: answers are held, and let go one by one.
"""

import json
import math
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from web.browser.conftest import PAINTED, PATIENCE
from web.browser.test_judge import drop
from web.browser.test_judge import runs as table

JOBS = "const { jobs, onJobs } = await load('jobs.js');"


def hold(page: Page, what: str | re.Pattern[str]) -> list[Route]:
    """The requests to `what`, held from now on."""
    held: list[Route] = []
    page.route(what, lambda route: held.append(route))
    return held


def judged(visit: Callable[..., Page]) -> tuple[Page, list[Route]]:
    """A page with a table that was judged; what it asks of Judge from now on is held."""
    page = visit("#/judge")
    drop(page, table())
    expect(page.locator(".claims .badge")).to_have_count(2)
    return page, hold(page, "**/api/judge?*")


def let_go(page: Page, route: Route) -> None:
    """Have the server answer, and the page hear of it."""
    with page.expect_response(lambda response: response.request == route.request) as told:
        route.continue_()
    told.value.finished()
    page.evaluate(PAINTED)


def said_in(route: Route) -> dict[str, Any]:
    """What was posted."""
    return json.loads(route.request.post_data or "")


def until(page: Page, held: list[Route], n: int) -> None:
    """Wait until so many are held."""
    deadline = time.monotonic() + PATIENCE / 1000
    while len(held) < n:
        assert time.monotonic() < deadline, f"{len(held)} requests, not {n}"
        page.wait_for_timeout(20)


@pytest.fixture
def asked(visit, tiny) -> Page:
    page = visit(f"#/ask?model=dense&vary=neurons:3,5,7&epochs=1&seeds=3&data={tiny}")
    expect(page.locator(".cost")).to_contain_text("9")
    return page


@pytest.fixture
def listed(visit) -> Page:
    """The table of runs, with the one lab that the server was warmed up with."""
    page = visit("#/runs")
    expect(page.locator("table.runs tbody tr")).not_to_have_count(0)
    return page


class TestLateAnswers:
    def test_the_cost_of_an_earlier_set_up_is_not_told(self, asked):
        asked.clock.install()
        held = hold(asked, "**/api/estimate?*")
        asked.fill("#levels-0", "3, 5, 9")
        asked.clock.run_for(300)
        until(asked, held, 1)
        asked.fill("#levels-0", "3, 5")

        with asked.expect_response("**/api/estimate?*") as told:
            held[0].continue_()
        told.value.finished()
        asked.clock.run_for(100)

        expect(asked.locator("button.primary")).to_be_disabled()
        asked.clock.run_for(300)
        until(asked, held, 2)
        held[1].continue_()
        expect(asked.locator(".cost")).to_contain_text("6")

    def test_the_digit_that_was_taken_last_stays(self, visit):
        page = visit("#/playground?digit=0")
        expect(page.locator(".says").first).not_to_be_empty()
        expect(page.locator(".shelf canvas")).to_have_count(10)
        held = hold(page, "**/api/digits/*")
        page.locator(".shelf button").nth(3).click()
        page.locator(".shelf button").nth(5).click()
        until(page, held, 2)

        for route in reversed(held):
            let_go(page, route)

        expect(page).to_have_url(re.compile("digit=8"))
        expect(page.locator(".bars li.truth .digit").first).to_have_text("5")

    def test_an_answer_from_before_the_sheet_was_cleared_is_not_shown(self, visit):
        page = visit("#/playground?digit=0")
        expect(page.locator(".says").first).not_to_be_empty()
        held = hold(page, "**/api/predict")
        page.focus(".stage")
        page.keyboard.press("ArrowRight")
        until(page, held, 1)
        page.locator("[role=group] button").nth(1).click()
        page.focus(".stage")
        page.keyboard.press(" ")  # a dot: there is something to be asked again

        let_go(page, held[0])

        expect(page.locator(".says").first).to_have_text("Draw a digit")

    def test_the_table_that_was_dropped_last_is_judged(self, visit):
        page = visit("#/judge")
        expect(page.locator(".drop-zone")).to_be_visible()
        held = hold(page, "**/api/knobs*")
        for name in ("first", "second"):
            drop(page, table(name), f"{name}.csv")
        until(page, held, 2)

        for route in reversed(held):
            let_go(page, route)

        expect(page.locator("pre").last).to_contain_text("siffra judge second.csv")
        page.evaluate(PAINTED)
        expect(page.locator("pre").last).to_contain_text("siffra judge second.csv")

    def test_of_a_view_that_is_left_nothing_happens_any_more(self, asked, bench, idle):
        requests: list[str] = []
        bench.call("POST", "/api/jobs/pause")
        held = hold(asked, "**/api/ask")
        asked.click("button.primary")
        until(asked, held, 1)
        asked.click("nav a[href='#/runs']")
        expect(asked.locator("table.runs tbody tr")).not_to_have_count(0)
        asked.on("request", lambda request: requests.append(request.url))

        let_go(asked, held[0])

        asked.evaluate(PAINTED)
        assert [url for url in requests if "/api/labs/" in url] == []

    def test_a_lab_that_is_found_late_leads_nobody_away(self, visit, bench, idle):
        bench.call("POST", "/api/jobs/pause")
        lab = bench.call("POST", "/api/study", {"only": ["a"]})["id"]
        page = visit("#/labs")
        held = hold(page, f"**/api/labs/{lab}?*")
        page.goto(page.url.partition("#")[0] + f"#/ask?lab={lab}")
        until(page, held, 1)
        page.click("nav a[href='#/runs']")

        let_go(page, held[0])

        expect(page.locator("nav a[href='#/runs'][aria-current]")).to_be_visible()
        assert "#/runs" in page.url


class TestWhatIsSaidBeforeTheAnswer:
    def test_a_column_that_is_clicked_twice_is_sorted_the_other_way(self, listed):
        held = hold(listed, "**/api/runs?*")
        for _ in range(2):
            listed.click("[data-column=test]")
        until(listed, held, 2)

        for route in held:
            let_go(listed, route)

        expect(listed.locator("[aria-sort=ascending] [data-column=test]")).to_be_visible()

    def test_a_second_correction_keeps_the_first(self, visit):
        page, held = judged(visit)
        page.fill("#judge-margin", "0.5")
        page.keyboard.press("Tab")
        page.select_option("#judge-better", "higher")
        page.get_by_label("accuracy", exact=True).last.check()  # to pair runs by

        until(page, held, 1)
        let_go(page, held[0])
        until(page, held, 2)
        said = said_in(held[1])["question"]
        let_go(page, held[1])

        assert said["margin"] == 0.5
        assert said["better"] == "higher"
        assert said["pair_by"] == ["seed", "accuracy"]
        expect(page.locator("#judge-margin")).to_have_value("0.5")

    def test_columns_that_are_unticked_one_after_the_other_all_stay_so(self, visit):
        page = visit("#/judge")
        names = ["variant", "ema", "mixup", "dropout"]
        rows = [
            ",".join([*(str(int(name == on)) for name in names), str(seed), f"{0.9 + seed / 100}"])
            for on in ["", *names]
            for seed in range(3)
        ]
        drop(page, "\n".join([",".join([*names, "seed", "accuracy"]), *rows]))
        compared = page.get_by_role("group", name="Compared columns")
        expect(compared.get_by_label("ema")).to_be_checked()
        held = hold(page, "**/api/judge?*")
        for name in names[1:]:
            compared.get_by_label(name).uncheck()

        until(page, held, 1)
        let_go(page, held[0])
        until(page, held, 2)
        said = said_in(held[1])["question"]
        let_go(page, held[1])

        assert said["by"] == ["variant"]
        for name in names:
            expect(compared.get_by_label(name)).to_be_checked(checked=name == "variant")


class TestHowOften:
    def test_a_list_is_read_once_however_much_happens_meanwhile(self, visit, bench, idle):
        page = visit("#/labs")
        expect(page.locator(".cards > li")).not_to_have_count(0)
        page.wait_for_load_state("networkidle")
        held = hold(page, "**/api/labs?*")

        for verb in ("pause", "resume") * 3:
            bench.call("POST", f"/api/jobs/{verb}")
            isPaused = (
                f"async () => {{ {JOBS} return jobs().paused === {str(verb == 'pause').lower()}; }}"
            )
            page.wait_for_function(isPaused)
        page.evaluate(PAINTED)

        assert len(held) == 1
        held[0].continue_()
        until(page, held, 2)  # what happened meanwhile
        held[1].continue_()

    def test_the_study_s_cost_is_asked_for_when_the_hand_rests(self, visit):
        page = visit("#/labs")
        expect(page.locator(".study .row [role=status]")).not_to_be_empty()
        held = hold(page, "**/api/study/estimate?*")

        page.evaluate("""() => {
          for (const value of ["1", "12", "120"]) {
            const field = document.getElementById("minutes");
            field.value = value;
            field.dispatchEvent(new Event("input"));
          }
        }""")
        until(page, held, 1)
        let_go(page, held[0])

        page.evaluate(PAINTED)
        assert [said_in(route)["time"] for route in held] == [7200]

    def test_the_address_is_written_no_oftener_than_browsers_allow(self, visit):
        page = visit("#/labs")
        written, here = page.evaluate("""async () => {
          const { here, remember } = await load("route.js");
          const replace = history.replaceState;
          let written = 0;
          history.replaceState = (...args) => { written += 1; replace.apply(history, args); };
          for (let i = 1; i <= 500; i++) remember(new URLSearchParams({ dx: i }));
          return [written, here().query.get("dx")];
        }""")

        assert here == "500"
        assert written <= 25  # 100 in 30 s are too many
        expect(page).to_have_url(re.compile("dx=500"))

    @pytest.mark.parametrize("button", [".study button.primary", "[data-action=cancel]"])
    def test_a_double_click_is_one_request(self, visit, bench, idle, button):
        bench.call("POST", "/api/jobs/pause")
        lab = bench.call("POST", "/api/study")["id"]
        page = visit("#/labs" if "study" in button else f"#/labs/{lab}")
        held = hold(page, re.compile("/api/study$|/cancel$"))
        page.locator(button).dblclick()

        until(page, held, 1)
        page.evaluate(PAINTED)

        assert len(held) == 1
        held[0].continue_()

    def test_a_network_that_waits_to_be_made_is_no_failure(self, visit, bench, idle):
        bench.call("POST", "/api/jobs/pause")
        key = bench.call("GET", "/api/runs")["runs"][0]["key"]
        page = visit(f"#/runs/{key}")
        expect(page.locator("[data-action=make-model]")).to_be_visible()
        page.evaluate(f"async () => {{ {JOBS} onJobs((kind) => (window.heard = kind)); }}")
        held = hold(page, "**/api/runs/*/model")
        page.click("[data-action=make-model]")
        until(page, held, 1)

        bench.call("POST", f"/api/runs/{key}/model")
        page.wait_for_function("() => window.heard === 'model'")

        expect(page.locator("section .refusal")).to_be_empty()
        let_go(page, held[0])
        expect(page.locator("section .refusal")).to_be_empty()
        bench.call("POST", "/api/jobs/resume")
        expect(page.locator(".mistakes li")).not_to_have_count(0)


class TestWhoReadsStaysThere:
    def test_what_is_being_typed_outlives_an_answer(self, visit):
        page, held = judged(visit)
        page.select_option("#judge-baseline", "2")
        until(page, held, 1)
        page.focus("#judge-margin")
        page.keyboard.type("0.2")

        let_go(page, held[0])
        expect(page.locator(".claims li").first).to_contain_text("against lr 1")

        expect(page.locator("#judge-margin")).to_be_focused()
        page.keyboard.type("5")
        expect(page.locator("#judge-margin")).to_have_value("0.25")
        page.keyboard.press("Tab")
        until(page, held, 2)
        assert said_in(held[1])["question"]["margin"] == 0.25
        let_go(page, held[1])

    def test_a_redrawn_part_keeps_focus_mark_folds_and_place(self, visit):
        page = visit("#/labs")
        kept = page.evaluate("""async () => {
          const { h, refill } = await load("dom.js");
          const host = h("div");
          document.getElementById("main").append(host);
          const make = (n) => [
            h("p", {}, `${n} of nine`),
            h("details", {}, h("summary", {}, "more"), h("p", {}, "text")),
            h("div", { class: "scroll" }, h("table", { class: "runs" })),
            h("input", { id: "typed", value: "abcdef" }),
          ];
          host.style.width = "50px";
          refill(host, 1, () => make(1));
          host.querySelector("details").open = true;
          host.querySelector(".scroll").scrollLeft = 40;
          const text = () => host.querySelector("details p").firstChild;
          getSelection().setBaseAndExtent(text(), 1, text(), 3);
          refill(host, 2, () => make(2));
          const marked = String(getSelection());
          host.querySelector("#typed").focus();
          host.querySelector("#typed").setSelectionRange(2, 3);
          refill(host, 3, () => make(3));
          const typed = document.activeElement;
          const { open } = host.querySelector("details");
          const { scrollLeft } = host.querySelector(".scroll");
          return [marked, open, scrollLeft, typed.id, typed.selectionStart, typed.selectionEnd];
        }""")

        assert kept == ["ex", True, 40, "typed", 2, 3]

    def test_who_pages_through_runs_stays_on_the_button(self, visit):
        page = visit("#/labs")

        def many(route: Route) -> None:
            told = route.fetch(url=route.request.url.replace("offset=50", "offset=0")).json()
            route.fulfill(json=told | {"matching": 120, "total": 120})

        page.route("**/api/runs?*", many)
        page.goto(page.url.partition("#")[0] + "#/runs")
        later = page.get_by_role("button", name="Next")
        later.focus()
        page.keyboard.press("Enter")

        expect(page.locator("main")).to_contain_text("51–100 of 120")
        expect(later).to_be_focused()


def test_a_chart_takes_any_number_of_runs(visit):
    page = visit("#/labs")

    ends = page.evaluate("""async () => {
      const { rangeOf } = await load("charts/axes.js");
      const many = Array.from({ length: 300_000 }, (_, i) => i % 90);
      return rangeOf(many, many, true);
    }""")

    assert ends[0] < 1
    assert ends[1] > 89


@pytest.mark.parametrize("value", [0, 5])
def test_a_curve_that_never_changes_has_an_axis(visit, value):
    page = visit("#/labs")

    low, high = page.evaluate(
        """async (value) => {
          const { rangeOf } = await load("charts/axes.js");
          return rangeOf([value, value], [], false);
        }""",
        value,
    )

    assert low < value < high


@pytest.mark.parametrize(
    ("claim", "at", "claimed", "margin"),
    [
        ({"scale": "difference", "times": 1, "plus": 0.02, "estimate": 0.01}, 0.03, 0.02, 0.005),
        ({"scale": "ratio", "times": 0.4, "plus": 0, "estimate": 1.1}, math.log(0.44),
         math.log(0.4), math.log(1.005)),
    ],
)  # fmt: skip
def test_a_claimed_size_is_drawn_beside_the_levels_own_difference(
    visit, claim, at, claimed, margin
):
    page = visit("#/labs")
    claim |= {"margin": 0.005, "values": [claim["estimate"]], "interval": None}

    zero, mean, left, width = page.evaluate(
        """async (claim) => {
          const { difference } = await load("charts/difference.js");
          const drawn = difference(claim, { low: -1, high: 1 }, "", "");
          const number = (part, name) => Number(drawn.querySelector(part).getAttribute(name));
          return [number(".zero", "x1"), number(".mean", "cx"),
                  number(".margin", "x"), number(".margin", "width")];
        }""",
        claim,
    )

    a_unit = 120 - 8  # half of the drawing, but for its edge
    assert mean - zero == pytest.approx(a_unit * at)
    assert left + width / 2 - zero == pytest.approx(a_unit * claimed)
    assert width == pytest.approx(2 * a_unit * margin)
