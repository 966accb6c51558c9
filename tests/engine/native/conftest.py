"""With `NUMBA_DISABLE_JIT=1` kernels are Python, and what they get from LLVM is NumPy."""

from numba.core import config

if config.DISABLE_JIT:  # pyright: ignore[reportAttributeAccessIssue]
    from engine.native import python_vectors

    python_vectors.install()
else:
    collect_ignore = ["test_without_jit.py"]
