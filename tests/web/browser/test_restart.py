"""The server killed in mid-run and started again: nothing is lost, and the page goes on."""

import re
import signal

from playwright.sync_api import expect


def test_killed_and_started_again_the_lab_goes_on(browser, bench, tiny, idle):
    slow = f"#/ask?model=dense&vary=neurons:32,48&epochs=200&seeds=50&data={tiny}"
    context = browser.new_context(storage_state=bench.cookies)
    page = context.new_page()
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(f"{bench.base}/{slow}")
    expect(page.locator("button.primary")).to_be_enabled()
    page.click("button.primary")
    expect(page.locator(".status .soft")).to_contain_text(
        re.compile("^[1-9][0-9]* of 100 runs"), timeout=60_000
    )

    bench.end(signal.SIGKILL)

    expect(page.locator(".link-lost")).to_be_visible()
    address = bench.start()
    expect(page.locator(".link-lost")).to_contain_text("was restarted")
    bench.let_in(address)
    context.add_cookies(bench.cookies["cookies"])  # as if the printed address had been opened
    expect(page.locator(".link-lost")).to_be_hidden()
    expect(page.locator(".status .state-running")).to_be_visible()
    expect(page.locator(".status .soft")).not_to_contain_text(re.compile("^0 of 100 runs"))
    page.click("[data-action=cancel]")
    expect(page.locator(".status .state-stopped")).to_be_visible()
    assert broken == []
    context.close()


def test_a_server_that_is_gone_is_told_once_and_no_longer_when_it_is_back(browser, bench):
    context = browser.new_context(storage_state=bench.cookies, locale="en-GB")
    page = context.new_page()
    page.goto(f"{bench.base}/#/labs/class")
    expect(page.locator(".class")).not_to_be_empty()
    bench.end(signal.SIGKILL)
    expect(page.locator(".link-lost")).to_be_visible()

    for view in ("labs", "runs", "labs/class"):
        page.evaluate("view => { location.hash = `#/${view}`; }", view)
        expect(page.locator(".refusal[data-code=away]").first).to_be_attached()
        expect(page.get_by_text("siffra does not answer").filter(visible=True)).to_have_count(1)
        expect(page.locator(".link-lost code")).to_have_text("siffra ui")

    address = bench.start()
    bench.let_in(address)
    context.add_cookies(bench.cookies["cookies"])
    expect(page.locator(".link-lost")).to_be_hidden()
    expect(page.locator(".class")).not_to_be_empty()
    expect(page.get_by_text("siffra does not answer").filter(visible=True)).to_have_count(0)
    context.close()


def test_what_ended_a_training_is_no_longer_told_when_it_goes_on(browser, bench, tiny, idle):
    slow = f"#/ask?model=dense&vary=neurons:33,49&epochs=200&seeds=50&data={tiny}"
    context = browser.new_context(storage_state=bench.cookies)
    page = context.new_page()
    page.goto(f"{bench.base}/{slow}")
    expect(page.locator("button.primary")).to_be_enabled()
    page.click("button.primary")
    expect(page.locator(".status .soft")).to_contain_text(
        re.compile("^[1-9][0-9]* of 100 runs"), timeout=60_000
    )

    bench.kill_worker()

    expect(page.locator(".status .state-failed")).to_be_visible()
    expect(page.locator(".status .refusal").first).not_to_be_empty()
    page.click("[data-action=start]")
    expect(page.locator(".status .state-running")).to_be_visible()
    expect(page.locator(".status .refusal").first).to_be_empty()
    expect(page.locator(".status [role=status]").last).to_contain_text("training")
    page.click("[data-action=cancel]")
    context.close()
