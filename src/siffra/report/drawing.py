"""Figures as files hold them, and as a page has them: for that nothing is drawn anew."""

import base64
import re
from dataclasses import dataclass
from typing import Literal

INK, FAINT, PAPER = "#22262b", "#d9dde1", "#fefefe"
"""Sentinels as well as colours: `for_page` replaces them by the page's own."""

OKABE_ITO = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


@dataclass(frozen=True, slots=True)
class Drawing:
    """A finished figure, as a file named `name` and `kind` would hold it (a safe stem).

    It is an SVG, or a PNG where there is so much in it that the SVG would be large.
    """

    name: str
    kind: Literal["svg", "png"]
    content: bytes


def for_page(drawing: Drawing) -> str:
    """The figure as HTML for a page: an SVG with the page's colours, or an image in a data URI.

    The SVG has what a page does not have itself, and coordinates to a hundredth of a point: half as
    many bytes.
    """
    if drawing.kind == "png":
        encoded = base64.b64encode(drawing.content).decode("ascii")
        kind = ' class="pictures"' if drawing.name.endswith("mistakes") else ""
        return f'<img{kind} src="data:image/png;base64,{encoded}" alt="">'
    svg = drawing.content.decode("utf-8")
    svg = svg[svg.index("<svg") :]
    # A page has one style sheet, and no room for metadata.
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>.*?</style>\s*", "", svg, flags=re.DOTALL)
    # In tags alone: what a lab calls its levels may look like any of this.
    svg = re.sub(r"<[^>]*>", lambda tag: _as_the_page_has_it(tag.group(), drawing.name), svg)
    svg = _ALIKE.sub(_with_one_style, re.sub(r">\n\s*<", "><", svg))
    # Its size is the page's to decide; the view box keeps the proportions.
    return re.sub(r'(?<=\s)(width|height)="[\d.]+pt" ', "", svg, count=2)


_ALIKE = re.compile(r'<use [^>]*style="([^"]*)"/>(?:<use [^>]*style="\1"/>)+')
"""Marks in a row that look alike."""


def _with_one_style(marks: re.Match[str]) -> str:
    style = f' style="{marks[1]}"'
    return f"<g{style}>{marks[0].replace(style, '')}</g>"


def _as_the_page_has_it(tag: str, name: str) -> str:
    """A tag of a figure with ids of its own, and with the page's colours and font."""
    if tag.startswith("<image"):
        # Nothing refers to an image, and two that are alike have one id.
        return re.sub(r"(url\(#)", rf"\g<1>{name}-", re.sub(r' id="[^"]*"', "", tag, count=1))
    if tag.startswith("<g "):
        tag = re.sub(r' id="[^"]*"', "", tag)  # nothing refers to a group
    tag = re.sub(r"(\.\d\d)\d+", r"\1", tag)
    tag = re.sub(r" *\nL ", "L", tag)
    tag = re.sub(r" ?font-family: [^;\"]*;?|(?: transform=\"rotate\(-0 [^\"]*\")", "", tag)
    tag = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", tag)
    blue = OKABE_ITO[0].lower()
    for colour, variable in (
        (INK, "--ink"),
        (FAINT, "--grid"),
        (PAPER, "--paper"),
        (blue, "--blue"),
    ):
        tag = tag.replace(colour, f"var({variable})")
    return tag
