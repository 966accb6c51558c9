"""A lab's report for the page: written by a process of its own, once for each set of runs.

Drawing takes seconds of pure Python, in which the server would answer nobody in time.

`python -m siffra.web.reporting STORE LAB OUT LANGUAGE`
"""

import asyncio
import hashlib
import shutil
import sys
from pathlib import Path

import siffra
from siffra.lab.shelf import KeptLab, Shelf
from siffra.store import open_store
from siffra.web.places import Places
from siffra.web.refusal import Refusal

WRITER = ("-P", "-m", "siffra.web.reporting")


class Reports:
    """Writes reports, one at a time, and holds the latest of each lab in each language."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._turn = asyncio.Lock()

    async def page(self, lab: KeptLab, language: str) -> Path:
        """The report's HTML, written anew if the lab has got runs since.

        Raises:
            Refusal: It cannot be written.
        """
        version = await asyncio.to_thread(_version, lab, self._places)
        folder = self._places.report(lab.id, version, language)
        found = folder / "report.html"
        async with self._turn:
            if not found.exists():
                await asyncio.to_thread(_remove_older, folder, language, self._places)
                store = str(self._places.store.absolute())
                arguments = (store, lab.id, str(folder.absolute()), language)
                process = await asyncio.create_subprocess_exec(sys.executable, *WRITER, *arguments)
                if await process.wait() or not found.exists():
                    raise Refusal("server")
        return found


def _version(lab: KeptLab, places: Places) -> str:
    """Of what a report depends on: siffra, and the runs that are there."""
    with open_store(places.store, read_only=True) as store:
        stored = sorted(store.stored(lab.keys))
    return hashlib.sha256("\n".join([siffra.__version__, *stored]).encode()).hexdigest()[:12]


def _remove_older(folder: Path, language: str, places: Places) -> None:
    # Only of our own: a link that came with a store may lead to anybody's.
    is_ours = folder.parent.resolve().is_relative_to(places.folder.resolve())
    if is_ours and folder.parent.is_dir():
        for older in folder.parent.iterdir():
            if older.name.endswith(f"-{language}"):
                shutil.rmtree(older, ignore_errors=True)


def main() -> None:
    """Write one report, as the arguments say."""
    from siffra.api import LabResult
    from siffra.data.load import load_dataset
    from siffra.examination import Examined
    from siffra.lab.verdicts import answer

    store_path, name, out, language = sys.argv[1:]
    with open_store(store_path, read_only=True) as store:
        lab = Shelf(Path(store_path)).get(name)
        assert lab, name
        answers = answer(lab.plan, lab.records(store))
        examined = Examined(load_dataset(lab.data), store.examinations(lab.keys))
    LabResult(answers, examined).write(out, language)


if __name__ == "__main__":
    main()
