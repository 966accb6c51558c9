"""One-line messages for exhausted resources: memory, files, processes, disk space.

Code that knows what the user asked for reports the error itself. This catches the rest: a library
that cannot be loaded, a process that cannot be started, a picture too large for memory.
"""

import errno

_KEPT = "Finished runs are stored; rerun the same command to continue."
_TOO_MANY_FILES = (
    f"too many open files; raise the limit (ulimit -n 1024) or use fewer --jobs. {_KEPT}"
)
_NO_PROCESSES = f"cannot start another process or thread; end some or use fewer --jobs. {_KEPT}"
_NO_MEMORY = f"out of memory; end other programs or use fewer --jobs. {_KEPT}"
_NOT_MAPPED = ("cannot allocate memory", "failed to map segment", "cannot map", "out of memory")


def explain_lack(error: Exception) -> str | None:
    """The message for an exhausted resource, with a remedy; None for any other error."""
    match error:
        case MemoryError():
            return _NO_MEMORY
        case OSError():
            return _of_the_system(error)
        case ImportError() if any(phrase in str(error).lower() for phrase in _NOT_MAPPED):
            return _NO_MEMORY
        case RuntimeError() if "can't start new thread" in str(error):
            return _NO_PROCESSES
    return None


def _of_the_system(error: OSError) -> str:
    match error.errno:
        case errno.EMFILE | errno.ENFILE:
            return _TOO_MANY_FILES
        case errno.ENOMEM:
            return _NO_MEMORY
        case errno.EAGAIN if error.filename is None:
            return _NO_PROCESSES
    reason = error.strerror or str(error) or type(error).__name__
    if error.filename is not None:
        return f"{error.filename}: {reason}."
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
        return f"cannot write ({reason}); is the disk full, or the output closed? {_KEPT}"
    return f"system error: {reason}."
