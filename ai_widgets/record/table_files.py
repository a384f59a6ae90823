"""Write a table as CSV or Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import MissingPackageError
from .files import writing

if TYPE_CHECKING:
    import pandas as pd


def write_csv(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as comma-separated values.

    Raises
    ------
    RecordError
        If the file cannot be written.
    """
    with writing(path) as made:
        _flat(table).to_csv(made, index=False, encoding="utf-8", lineterminator="\n")
    return path


def write_parquet(table: pd.DataFrame, path: Path) -> Path:
    """Write a table as a Parquet file.

    Raises
    ------
    MissingPackageError
        If pyarrow is not installed.
    RecordError
        If the file cannot be written.
    """
    try:
        import pyarrow  # noqa: F401 - pandas imports it by name
    except ImportError as error:
        raise MissingPackageError(
            'A Parquet file is written by pyarrow, which is not installed: pip install "ai_widgets[parquet]". to_csv '
            "needs nothing more."
        ) from error
    with writing(path) as made:
        _flat(table).to_parquet(made, engine="pyarrow", index=False)
    return path


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose cells are numbers, text or None: lists and mappings as JSON, text that UTF-8 can hold."""
    flat = table.copy()
    for name in flat.columns:
        if flat[name].dtype == object:
            flat[name] = flat[name].map(_cell)
    return flat


def _cell(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return json.dumps(value, default=str)
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value
