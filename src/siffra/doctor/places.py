"""Files: the store, the user's folders, and the data set that siffra brings."""

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from siffra.data.load import MNIST, MNIST_SHA256
from siffra.doctor.finding import Complaint, Fact, Finding
from siffra.errors import StoreError
from siffra.store.store import default_store_path, open_store

_LEAST_FREE = 200_000_000
_MOST_FAULTS = 5  # that are named
_MOUNTS = Path("/proc/self/mounts")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "lustre")
_ELSEWHERE = "keep runs elsewhere: --store FILE, or set SIFFRA_STORE"


def store(path: Path | None) -> Finding:
    """The store at `path`, or the user's own: is it whole, can it be written?"""
    chosen = path or default_store_path()
    facts, complaints = _present(chosen) if chosen.exists() else _to_be(chosen)
    return Finding("store", {"file": str(chosen), **facts}, (*complaints, *_place(chosen)))


def _to_be(path: Path) -> tuple[dict[str, Fact], list[Complaint]]:
    why = unusable(path.parent)
    wrong = [Complaint(f"{path.parent}: {why}.", _ELSEWHERE)] if why else []
    return {"runs": "none yet"}, wrong


def _present(path: Path) -> tuple[dict[str, Fact], list[Complaint]]:
    try:
        with open_store(path, read_only=True) as opened:
            health = opened.health()
    except StoreError as error:
        return {}, [Complaint(str(error), _ELSEWHERE)]
    wrong = []
    if health.damage:
        rescue = "`siffra runs export runs.json` may save what can still be read; then "
        wrong.append(Complaint(f"{path}: it is damaged ({health.damage}).", rescue + _ELSEWHERE))
    again = "make it again, with the command that made it"
    wrong.extend(Complaint(fault, again) for fault in health.faults[:_MOST_FAULTS])
    if (more := len(health.faults) - _MOST_FAULTS) > 0:
        wrong.append(Complaint(f"{path}: {more} more are damaged.", "make them again too"))
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        wrong.append(Complaint(f"{path}: it, or its folder, cannot be written.", _ELSEWHERE))
    void = f", {health.void_claims} of them void (which blocks nothing)"
    state = "damaged" if health.damage or health.faults else "intact"
    facts: dict[str, Fact] = {
        "runs": health.runs,
        "schema": health.schema,
        "claimed": f"{health.claims}{void if health.void_claims else ''}",
        "size": f"{path.stat().st_size / 1e6:.1f} MB, {state}",
        **({"open to": _readers(path)} if os.name == "posix" else {}),
    }
    return facts, wrong


def _readers(path: Path) -> str:
    """Who may read the file, as far as its mode and its folder's tell."""
    mode, folder = path.stat().st_mode, path.resolve().parent.stat().st_mode
    if mode & stat.S_IROTH and folder & stat.S_IXOTH:
        return f"everybody on this machine (`chmod 600 {path}` keeps it to you)"
    return "its group" if mode & stat.S_IRGRP and folder & stat.S_IXGRP else "its owner alone"


def _place(path: Path) -> list[Complaint]:
    """What is wrong with the disk that the store is on."""
    complaints = []
    free = shutil.disk_usage(_nearest(path.parent)).free
    if free < _LEAST_FREE:
        complaints.append(
            Complaint(
                f"{path.parent}: {free / 1e6:.0f} MB are free.", f"make room, or {_ELSEWHERE}"
            )
        )
    kind = on_network(path, _MOUNTS.read_text("utf-8")) if _MOUNTS.exists() else None
    if kind:
        complaints.append(
            Complaint(
                f"{path}: it is on a network drive ({kind}), where SQLite cannot keep several "
                f"machines from writing at once.",
                f"use it from one machine at a time, or {_ELSEWHERE}",
            )
        )
    return complaints


def folders() -> Finding:
    """The working folder, which reports go to, and the one for temporary files."""
    here, temporary = Path.cwd(), Path(tempfile.gettempdir())
    complaints = [
        Complaint(f"{folder}: {why}.", fix)
        for folder, fix in (
            (here, "work in another folder, or write reports elsewhere: --out DIR"),
            (temporary, "set TMPDIR to a folder that you can write"),
        )
        if (why := unusable(folder))
    ]
    facts = {"reports": f"{here / 'siffra-report'}, unless --out says other"}
    return Finding("folders", facts | {"temporary files": str(temporary)}, tuple(complaints))


def data() -> Finding:
    """Whether the images that siffra brings are those that it was made with."""
    try:
        intact = hashlib.sha256(MNIST.read_bytes()).hexdigest() == MNIST_SHA256
    except OSError:
        intact = False
    if intact:
        return Finding("data", {"mnist": f"intact ({MNIST_SHA256[:12]})"})
    wrong = Complaint(
        f"{MNIST}: these are not the images that siffra was made with.",
        "reinstall siffra: pip install --force-reinstall --no-deps, from where you had it",
    )
    return Finding("data", {"mnist": "damaged"}, (wrong,))


def unusable(folder: Path) -> str | None:
    """Why files cannot be made in `folder`, which may have to be made first; None if they can."""
    nearest = _nearest(folder)
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    return None if os.access(nearest, os.W_OK | os.X_OK) else f"{nearest} cannot be written"


def on_network(path: Path, mounts: str) -> str | None:
    """The kind of network drive that `path` is on, by what Linux says is mounted; else None."""
    places = [line.split()[1:3] for line in mounts.splitlines() if len(line.split()) > 2]
    around = [
        (len(point), kind)
        for point, kind in places
        if path.absolute().is_relative_to(point.replace("\\040", " "))
    ]
    kind = max(around, default=(0, ""))[1]
    return kind if kind in _NETWORK else None


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that exists."""
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
