"""How a report fills sheets of paper: what can flow does, what belongs together stays so."""

from importlib.resources import files

import pytest

STYLE = files("siffra.report").joinpath("render", "templates", "report.css").read_text("utf-8")
SHEET = 265  # mm of an A4 sheet within its margins, or somewhat less


def filler(share: float) -> str:
    return f'<div style="height: {share * SHEET}mm"></div>'


def rows(n: int, share: float) -> str:
    row = f'<tr style="height: {share * SHEET / n}mm"><td>x</td></tr>'
    return f"<table><tbody>{row * n}</tbody></table>"


def figure(share: float) -> str:
    return f'<figure style="margin: 0; height: {share * SHEET}mm">x</figure>'


ASKED = '<h2>Which?</h2><p class="answer">This.</p>'


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (filler(0.6) + rows(12, 0.6) + filler(0.6), 2),  # a long table flows
        (filler(0.7) + rows(3, 0.5) + filler(0.6), 3),  # a short one stays whole
        (filler(0.7) + figure(0.5) + filler(0.4), 2),
        (filler(0.75) + ASKED + figure(0.5) + filler(0.45), 2),  # an answer needs no figure
    ],
)
def test_what_can_flow_fills_the_sheet(browser, sheets, content, expected):
    page = browser.new_page()
    page.set_content(f"<style>{STYLE}</style><main>{content}</main>")

    assert sheets(page) == expected
