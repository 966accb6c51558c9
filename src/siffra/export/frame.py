"""Tidy tables as pandas data frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from siffra.errors import SiffraError
from siffra.report.render.files import typed

if TYPE_CHECKING:
    import pandas as pd

_WITH_GAPS = {int: "Int64", bool: "boolean", str: "string"}
"""pandas' types that can lack a value and stay what they are."""


def data_frame(rows: Sequence[Mapping[str, object]]) -> pd.DataFrame:
    """The rows as a frame. Whole numbers stay whole where some are missing; times are UTC.

    Raises:
        SiffraError: pandas is not installed.
    """
    try:
        import pandas as pd  # an extra
    except ModuleNotFoundError as error:
        raise SiffraError(
            "pandas: pandas is not installed; run `pip install 'siffra[pandas]'`."
        ) from error

    def column(values: Sequence[object]) -> pd.Series:
        kind, cells = typed(values)
        complete = all(value is not None for value in values)
        if kind is str:
            return pd.Series(cells, dtype="string")
        return pd.Series(cells, dtype=kind if complete or kind is float else _WITH_GAPS[kind])

    columns = {name: column([row[name] for row in rows]) for name in rows[0]} if rows else {}
    if "finished" in columns:
        columns["finished"] = pd.to_datetime(columns["finished"], utc=True, format="ISO8601")
    return pd.DataFrame(columns)
