"""Coming in: by a click in another site's page, or by pasting, and once more."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

HOSTS = ("127.0.0.1", "localhost")  # to a browser the same site as ours, and another one


@contextmanager
def site_with(html: str) -> Iterator[int]:
    """The port of another server on this machine, whose one page this is."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(html.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  as there
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def arrive(browser: Browser) -> Page:
    return browser.new_context(locale="sv-SE").new_page()


def is_in(page: Page, base: str) -> None:
    expect(page.locator(".top .mark")).to_be_visible()
    assert page.url.startswith(base)
    assert "token" not in page.url


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("target", ["_self", "_blank"])
def test_a_click_in_another_page_opens_it_time_and_again(browser, fresh, host, target):
    address = fresh.start()
    with site_with(f'<a href="{address}" target="{target}" rel="noopener">siffra</a>') as port:
        page = arrive(browser)
        for _ in range(2):  # the second time the token is used up, and this browser is in
            page.goto(f"http://{host}:{port}/")
            if target == "_self":
                page.click("a")
                opened = page
            else:
                with page.context.expect_page() as popup:
                    page.click("a")
                opened = popup.value
            is_in(opened, fresh.base)
            opened.reload()
            is_in(opened, fresh.base)


def test_a_link_to_a_view_keeps_the_view(browser, fresh):
    address = fresh.start()
    page = arrive(browser)
    page.goto(address)
    is_in(page, fresh.base)
    with site_with(f'<a href="{fresh.base}/#/runs">the runs</a>') as port:
        page.goto(f"http://localhost:{port}/")
        page.click("a")
        is_in(page, fresh.base)
        assert page.url.endswith("#/runs")


def test_pasting_the_address_opens_it_and_another_browser_is_told_what_to_do(browser, fresh):
    address = fresh.start()
    page, other = arrive(browser), arrive(browser)
    for _ in range(2):
        page.goto(address)
        is_in(page, fresh.base)

    with site_with(f'<a href="{address}">siffra</a>') as port:
        for there in (address, fresh.base):
            other.goto(there)
            expect(other.locator("h1").first).to_contain_text("Öppna sidan med adressen")
        other.goto(f"http://localhost:{port}/")
        other.click("a")
        expect(other.locator("h1").first).to_contain_text("Öppna sidan med adressen")
        assert other.locator("section").count() == 2
        body = "getComputedStyle(document.body).fontFamily"
        assert "system-ui" in other.evaluate(body)  # its style is let through


def test_a_frame_shows_nothing_and_does_not_use_up_the_address(browser, fresh):
    address = fresh.start()
    with site_with(f'<iframe src="{address}"></iframe><img src="{address}">') as port:
        page = arrive(browser)
        page.goto(f"http://localhost:{port}/")
        page.wait_for_load_state("networkidle")
        assert page.context.cookies() == []
        page.goto(address)
        is_in(page, fresh.base)
