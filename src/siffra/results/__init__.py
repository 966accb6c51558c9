"""Finished runs that siffra did not make: read from wherever they are, and sorted into roles.

`read_results` reads a table, `find_roles` says what its columns are, `runs_of` what its runs are.
Nothing that a file names is imported, opened or run.
"""

from siffra.results.read import read_frame, read_results
from siffra.results.roles import RoleOptions, Roles, find_roles
from siffra.results.rows import RunRow
from siffra.results.runs import Runs, runs_of
from siffra.results.table import RunTable

__all__ = [
    "RoleOptions",
    "Roles",
    "RunRow",
    "RunTable",
    "Runs",
    "find_roles",
    "read_frame",
    "read_results",
    "runs_of",
]
