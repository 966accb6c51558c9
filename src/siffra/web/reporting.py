"""A lab's report for the page: written by a process of its own, once for each set of runs.

Drawing takes seconds of pure Python, in which the server would answer nobody in time.

`python -m siffra.web.reporting STORE LAB OUT LANGUAGE`
"""

import asyncio
import hashlib
import logging
import shutil
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import siffra
from siffra.api.stored_runs import lab_result
from siffra.errors import DataError, SiffraError
from siffra.lab.history import LabHistory, SavedLab
from siffra.store.store import open_store
from siffra.system.terminal import echo, echo_data, one_line
from siffra.web.errors import CODES, ApiError, Code, code_of_error
from siffra.web.paths import Paths
from siffra.web.worker_process import how_it_ended

log = logging.getLogger("siffra.web")

WRITER = ("-P", "-m", "siffra.web.reporting")


class Reports:
    """Writes reports, one at a time, and holds the latest of each lab in each language."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._turn = asyncio.Lock()

    async def page(self, lab: SavedLab, language: str) -> Path:
        """The report's HTML, written anew if the lab has got runs since.

        Raises:
            ApiError: It cannot be written.
        """
        version = await asyncio.to_thread(_version, lab, self._paths)
        folder = self._paths.report(lab.id, version, language)
        page = folder / "report.html"
        async with self._turn:
            if not page.exists():
                await asyncio.to_thread(_remove_older, folder, language, self._paths)
                store = str(self._paths.store.absolute())
                arguments = (store, lab.id, str(folder.absolute()), language)
                code = await _write(arguments)
                if code or not page.exists():
                    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                    raise ApiError(code or "server")
        return page


async def _write(arguments: tuple[str, ...]) -> Code | None:
    """Have a process write a report; returns why it could not, which the terminal then tells."""
    process = await asyncio.create_subprocess_exec(sys.executable, *WRITER, *arguments, stdout=PIPE)
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if not process.returncode:
        return None
    code = output.decode(errors="replace").rpartition("\n")[2]
    if code in CODES:
        return code
    log.error("the process that writes the report ended %s.", how_it_ended(process.returncode))
    return "server"


def _version(lab: SavedLab, paths: Paths) -> str:
    """Of what a report depends on: siffra, and the runs that are there."""
    if not paths.store.exists():
        raise ApiError("store_gone")
    with open_store(paths.store, read_only=True) as store:
        stored = sorted(store.stored(lab.keys))
    return hashlib.sha256("\n".join([siffra.__version__, *stored]).encode()).hexdigest()[:12]


def _remove_older(folder: Path, language: str, paths: Paths) -> None:
    # Only of our own: a link that came with a store may lead to anybody's.
    is_ours = folder.parent.resolve().is_relative_to(paths.folder.resolve())
    if is_ours and folder.parent.is_dir():
        for older in folder.parent.iterdir():
            if older.name.endswith(f"-{language}"):
                shutil.rmtree(older, ignore_errors=True)


def main() -> None:
    """Write one report, as the arguments say; what went wrong is told, and its code printed."""
    try:
        _write_as_asked(*sys.argv[1:])
    except (SiffraError, OSError, MemoryError) as error:
        echo(one_line(f"siffra ui, report: {error or 'memory ran out'}"), err=True)
        echo_data("data_gone" if isinstance(error, DataError) else code_of_error(error))
        sys.exit(2)


def _write_as_asked(store_path: str, name: str, out: str, language: str) -> None:
    with open_store(store_path, read_only=True) as store:
        lab = LabHistory(Path(store_path)).get(name)
        assert lab, name
        result = lab_result(store, lab)
    result.write(out, language)


if __name__ == "__main__":
    main()
