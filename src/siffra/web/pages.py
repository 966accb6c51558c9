"""Pages that stand alone: for whoever comes by an address and is not, or not yet, let in.

They need no other file, since those are behind the guard, and no cookie. Their policy allows
the style and the script that stand here, by digest, and nothing else.
"""

import base64
import hashlib
from functools import cache
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from siffra.report.text.messages import LANGUAGES, Words, catalogue, words_in
from siffra.web.errors import ApiError

_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 34rem; margin: 12vh auto 0; padding: 0 1.5rem;
  font: 1.0625rem/1.55 system-ui, sans-serif; }
h1 { font-size: 1.375rem; line-height: 1.3; margin: 0 0 .75rem; }
section + section { margin-top: 2.5rem; padding-top: 2rem; border-top: 1px solid #8886; }
code { font: .9em ui-monospace, monospace; white-space: nowrap; }
"""
# Another address than the one shown, or it would only move within this page. What stands after
# the `#` says which view is wanted.
_GOING_ON = 'location.replace((location.href.includes("?") ? "/" : "/?") + location.hash)'


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


_POLICY = (
    f"default-src 'none'; style-src {_digest(_STYLE)}; script-src {_digest(_GOING_ON)}; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@cache
def page_words(language: str) -> Words:
    """The words of `language`: the report's catalogue, and the page's own in `languages/`.

    Raises:
        SiffraError: There is no catalogue for it.
    """
    return Words(language, {**words_in(language).texts, **catalogue("siffra.web", language)})


def wants_page(request: Request) -> bool:
    """Whether a person is to read the answer, in a tab of its own, and not a script."""
    return "text/html" in request.headers.get("accept", "")


def going_on(status: int) -> Response:
    """What goes on to the page by itself.

    A browser that comes from another site leaves its `SameSite=Strict` cookie at home, and goes
    on doing so through a redirect. What this page asks for, it asks for as our own.
    """
    body = f"<script>{_GOING_ON}</script>\n<p><a href='/?'>siffra ui</a></p>"
    return _page("siffra", body, LANGUAGES[0], status)


def closed(request: Request) -> Response:
    """The closed door, and how it opens, in every language, the reader's first."""
    sections = []
    for language in _languages(request):
        words = page_words(language)
        paragraphs = [words("ui.door.how"), words("ui.door.used")]
        sections.append(_section(words("ui.door.title"), paragraphs, language))
    return _page("siffra", "\n".join(sections), _languages(request)[0], 403)


def error_response(request: Request, error: ApiError) -> Response:
    """An error, as a page for a person and as JSON for a script."""
    if not wants_page(request):
        return error.response()
    if error.code == "forbidden":
        return closed(request)
    language = _languages(request)[0]
    words = page_words(language)
    paragraphs = [words(f"ui.error.{error.code}"), error.why]
    body = _section(words("ui.door.refused"), [each for each in paragraphs if each], language)
    return _page("siffra", body, language, error.response().status_code)


def _languages(request: Request) -> list[str]:
    """Ours, in the reader's order: the one that the page asks for, then what the browser wants."""
    wanted = request.query_params.getlist("lang")
    for entry in request.headers.get("accept-language", "").split(","):
        wanted.append(entry.partition(";")[0].strip().lower().partition("-")[0])
    return list(
        dict.fromkeys([*(language for language in wanted if language in LANGUAGES), *LANGUAGES])
    )


def _section(title: str, paragraphs: list[str], language: str) -> str:
    def marked(text: str) -> str:
        plain = escape(text).split("`")
        return "".join(f"<code>{part}</code>" if n % 2 else part for n, part in enumerate(plain))

    marked_up = "\n".join(f"<p>{marked(paragraph)}</p>" for paragraph in paragraphs)
    return f'<section lang="{language}">\n<h1>{marked(title)}</h1>\n{marked_up}\n</section>'


def _page(title: str, body: str, language: str, status: int) -> Response:
    page = (
        f'<!doctype html>\n<html lang="{language}">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n{body}\n</html>\n"
    )
    return HTMLResponse(page, status, {"Content-Security-Policy": _POLICY})
