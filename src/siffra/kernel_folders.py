"""Folders of compiled kernels, one for each state of what they are made of; old ones are removed.

A folder takes some 10 MB, and an update leaves one behind. Whoever comes back to one that is gone
waits for its kernels to be compiled once more, and nothing else: Numba reads each file whole when
it needs it, and takes one that is missing for one that was never made.
"""

import os
import re
import shutil
import time
from contextlib import suppress
from functools import cache
from pathlib import Path

LONG = 30 * 24 * 3600.0
"""Seconds after which a folder that no process has used is removed."""

_STATE = re.compile("[0-9a-f]{16}")


@cache
def in_use(folder: Path) -> Path:
    """`folder`, made if it is not there, and marked as used now by its time of modification.

    Where it has to be made, those beside it that no process has marked for `LONG` are removed, if
    they bear a state's name. What the system refuses is left as it is.
    """
    with suppress(OSError):
        is_new = not folder.exists()
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        if is_new:
            _remove_unused(folder.parent)
    return folder


def _remove_unused(root: Path) -> None:
    limit = time.time() - LONG
    for folder in root.iterdir():
        with suppress(OSError):  # another process may be removing it
            if _STATE.fullmatch(folder.name) and folder.stat().st_mtime < limit:
                shutil.rmtree(folder, ignore_errors=True)
