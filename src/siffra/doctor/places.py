"""The store of runs, and whether files can be written where they should go."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from siffra.doctor.finding import Complaint, Fact, Finding
from siffra.errors import StoreError
from siffra.store.store import default_store_path, open_store

_LEAST_FREE = 200_000_000
"""Bytes."""
_FAULTS_NAMED = 5
_MOUNTS = Path("/proc/self/mounts")
_NETWORK = ("nfs", "nfs4", "cifs", "smb3", "smbfs", "fuse.sshfs", "9p", "afs", "ceph", "lustre")
_ELSEWHERE = "keep runs elsewhere: --store FILE, or set SIFFRA_STORE"


def store(path: Path | None) -> Finding:
    """The store at `path`, or the user's own: whether it is intact, and can be written."""
    path = path or default_store_path()
    if path.exists():
        facts, complaints = _existing(path)
    else:
        why = unusable(path.parent)
        facts = {"runs": "none yet"}
        complaints = [Complaint(f"{path.parent}: {why}.", _ELSEWHERE)] if why else []
    return Finding("store", {"file": str(path), **facts}, (*complaints, *_disk(path)))


def _existing(path: Path) -> tuple[dict[str, Fact], list[Complaint]]:
    try:
        with open_store(path, read_only=True) as opened:
            health = opened.health()
    except StoreError as error:
        return {}, [Complaint(str(error), _ELSEWHERE)]
    complaints = []
    if health.damage:
        rescue = "`siffra runs export runs.json` may save what can still be read; then "
        complaints.append(
            Complaint(f"{path}: it is damaged ({health.damage}).", rescue + _ELSEWHERE)
        )
    again = "make it again, with the command that made it"
    complaints += [Complaint(fault, again) for fault in health.faults[:_FAULTS_NAMED]]
    if (more := len(health.faults) - _FAULTS_NAMED) > 0:
        complaints.append(Complaint(f"{path}: {more} more are damaged.", "make them again too"))
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        complaints.append(Complaint(f"{path}: it, or its folder, cannot be written.", _ELSEWHERE))
    is_damaged = health.damage or health.faults
    void = f", {health.void_claims} of them void (which blocks nothing)"
    facts: dict[str, Fact] = {
        "runs": health.runs,
        "schema": health.schema,
        "claimed": f"{health.claims}{void if health.void_claims else ''}",
        "size": f"{path.stat().st_size / 1e6:.1f} MB, {'damaged' if is_damaged else 'intact'}",
    }
    if os.name == "posix":
        facts["open to"] = _readers(path)
    return facts, complaints


def _readers(path: Path) -> str:
    """Who may read the file, as far as its mode and its folder's say."""
    mode, folder = path.stat().st_mode, path.resolve().parent.stat().st_mode
    if mode & stat.S_IROTH and folder & stat.S_IXOTH:
        return f"everybody on this machine (`chmod 600 {path}` keeps it to you)"
    return "its group" if mode & stat.S_IRGRP and folder & stat.S_IXGRP else "its owner alone"


def _disk(path: Path) -> Iterator[Complaint]:
    """What is wrong with the disk that the store is on."""
    free = shutil.disk_usage(_nearest(path.parent)).free
    if free < _LEAST_FREE:
        yield Complaint(
            f"{path.parent}: {free / 1e6:.0f} MB are free.", f"free some space, or {_ELSEWHERE}"
        )
    if kind := _network(path):
        yield Complaint(
            f"{path}: it is on a network drive ({kind}), where SQLite cannot keep several machines "
            "from writing at once.",
            f"use it from one machine at a time, or {_ELSEWHERE}",
        )


def _network(path: Path) -> str | None:
    """The kind of network drive that `path` is on, by what Linux has mounted; else None."""
    lines = _MOUNTS.read_text("utf-8").splitlines() if _MOUNTS.exists() else []
    mounted = [line.split()[1:3] for line in lines if len(line.split()) > 2]
    around = [
        (len(point), kind)
        for point, kind in mounted
        if path.absolute().is_relative_to(point.replace("\\040", " "))
    ]
    kind = max(around, default=(0, ""))[1]
    return kind if kind in _NETWORK else None


def unusable(folder: Path) -> str | None:
    """Why files cannot be made in `folder`, which may not exist yet; None if they can."""
    nearest = _nearest(folder)
    if not nearest.is_dir():
        return f"{nearest} is no folder"
    return None if os.access(nearest, os.W_OK | os.X_OK) else f"{nearest} cannot be written"


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that exists."""
    return next(each for each in (folder, *folder.absolute().parents) if each.exists())
