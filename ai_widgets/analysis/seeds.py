"""Seeds: the decisions on the same audio under many seeds."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..errors import SettingError
from ..protocol import Decision
from ..record.record import SessionRecord
from ..session.replay import run_again
from .decision_rule import TEXT

if TYPE_CHECKING:
    import pandas as pd

    from ..inference import Model


def seeds(model: Model, record: SessionRecord, n: int | Iterable[int] = 20, **changed: Any) -> pd.DataFrame:
    """Run the audio of a record once per seed, one run after the other, and return a raster of the decisions.

    Parameters
    ----------
    model, record
        Model that hears, and the record whose audio it hears, with the record's settings.
    n
        Number of seeds, 0 to n − 1, or the seeds.
    **changed
        Other settings of all runs, such as ``temperature=1.0``.

    Returns
    -------
    pandas.DataFrame
        A row per chunk and a column per seed, of pandas' `boolean`: True where a reply began, missing where the chunk
        has no decision.

    Raises
    ------
    SettingError
        If there is no seed, or a setting is not allowed.
    SessionError
        If the record cannot be heard again.

    Examples
    --------
    >>> raster = seeds(model, record, 20)
    >>> raster.mean(axis=1)             # share of the seeds that reply after each chunk
    """
    import pandas as pd

    chosen = list(range(n)) if isinstance(n, int) else list(n)
    if not chosen:
        raise SettingError(f"n must be at least 1, or seeds, not {n!r}.", ("seed",))
    columns = {}
    for seed in chosen:
        decisions = run_again(model, record, **{**changed, "seed": seed}).of_type(Decision)
        columns[seed] = pd.Series(
            [decision.choice == TEXT for decision in decisions],
            [decision.chunk for decision in decisions],
            dtype="boolean",
        )
    raster = pd.DataFrame(columns)
    raster.index.name, raster.columns.name = "chunk", "seed"
    return raster
