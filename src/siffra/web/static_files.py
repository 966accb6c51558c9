"""The page's own files: read once, served from memory, and kept by browsers.

Their address has a digest of all of them in it, so a browser asks for each file once, until another
version of siffra is installed. The page names every module that it needs: without that a browser
finds them one after another, import by import.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from posixpath import normpath

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from siffra.web.errors import ApiError

FOLDER = Path(__file__).with_name("static")
KINDS: Mapping[str, str] = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
"""What is served of the folder, and as what."""
FIRST = ("modules/main.js", "modules/ask/view.js")
"""What the first view is made of. Other views come when they are wanted."""
_IMPORT = re.compile(r"""\b(?:from|import)\s*["'](\.[^"']+)["']""")


class StaticFiles:
    """An ASGI application that answers for the files, and leaves everything else to `app`."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        files = {
            path.relative_to(FOLDER).as_posix(): path.read_bytes()
            for path in sorted(FOLDER.rglob("*"))
            if path.suffix in KINDS
        }
        folder = f"static/{_digest(files)}"
        #: By address: the name and the contents.
        self.files = {f"/{folder}/{name}": (name, content) for name, content in files.items()}
        self.files["/"] = "index.html", _page(files, folder)
        # Browsers ask for it beside a report, which names none.
        self.files["/favicon.ico"] = "icon.svg", files["icon.svg"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the file of that whole name."""
        found = self.files.get(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
        elif scope["method"] != "GET":
            await ApiError("method").response()(scope, receive, send)
        else:
            name, content = found
            is_versioned = scope["path"].startswith("/static/")
            kept = "private, max-age=31536000, immutable" if is_versioned else "no-cache"
            headers = {"Content-Type": KINDS[PurePosixPath(name).suffix], "Cache-Control": kept}
            await Response(content, headers=headers)(scope, receive, send)


def modules(files: Mapping[str, bytes], first: Iterable[str] = FIRST) -> list[str]:
    """`first`, and then every module that these need before they can run, each once."""
    names = list(first)
    for name in names:  # which grows meanwhile
        folder = PurePosixPath(name).parent
        needed = (normpath(folder / each) for each in _IMPORT.findall(files[name].decode()))
        names += dict.fromkeys(each for each in needed if each not in names)
    return names


def _page(files: Mapping[str, bytes], folder: str) -> bytes:
    """`index.html` with the addresses of the files, and the modules named ahead."""
    ahead = [f'<link rel="modulepreload" href="static/{each}">\n' for each in modules(files)]
    head, script, rest = files["index.html"].decode().partition('<script type="module"')
    page = "".join([head, *ahead, script, rest])
    return page.replace('"static/', f'"{folder}/').encode()


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]
