"""The clock that a search goes by: which stored runs were timed as its own are."""

from siffra.engine.base import Engine
from siffra.system.cpu import name_among
from siffra.training.run import Record, this_machine


def has_clock(record: Record, engine: Engine) -> bool:
    """Whether a run was made as a search with `engine` makes its own, so that times compare.

    By this engine, on this machine, with as many threads, one at a time.
    """
    own, here = record.machine, this_machine(engine.threads)
    cpu = name_among(here.cpu, (own.cpu,))
    return (record.engine, record.engine_version) == (engine.name, engine.version) and (
        (own.cpu, own.cores, own.threads, own.jobs) == (cpu, here.cores, here.threads, 1)
    )
