"""What a machine may lack, in one line each: room, memory, processes, names that are short enough.

Where it is known what was asked for, it is told there. This is for what comes from anywhere: a
library that cannot be loaded, a process that cannot be started, a picture that finds no memory.
"""

import errno

_KEPT = "What is finished is stored, and the same command goes on."
_TOO_MANY_FILES = (
    f"this process may open no more files; allow more (ulimit -n 1024) or use fewer --jobs. {_KEPT}"
)
_NO_PROCESSES = (
    f"this machine starts no more processes or threads; end some or use fewer --jobs. {_KEPT}"
)
_NO_MEMORY = f"there is not enough memory; end other programs, or use fewer --jobs. {_KEPT}"
_NOT_MAPPED = ("cannot allocate memory", "failed to map segment", "cannot map", "out of memory")


def explain_lack(error: Exception) -> str | None:
    """What the system lacks, as the user may mend it; None if this error is not about that."""
    match error:
        case MemoryError():
            return _NO_MEMORY
        case OSError():
            return _of_the_system(error)
        case ImportError() if any(said in str(error).lower() for said in _NOT_MAPPED):
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
        return f"something cannot be written ({reason}); is the disk full, or the output? {_KEPT}"
    return f"the system refused something: {reason}."
