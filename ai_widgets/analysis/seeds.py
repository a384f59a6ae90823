"""Seeds and sweeps: the decisions on the same audio under several values of a setting."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import SettingError
from ..protocol import Decision
from ..record.record import SessionRecord
from ..session.replay import run_several
from .decision_rule import TEXT

if TYPE_CHECKING:
    import pandas as pd

    from ..inference import Model


def seeds(model: Model, record: SessionRecord, n: int | Iterable[int] = 20, **changed: Any) -> pd.DataFrame:
    """Run the audio of a record once per seed, and return a raster of the decisions.

    Sixteen runs at a time share each forward pass (`Ensemble`), and encode their common audio once.

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
    chosen = list(range(n)) if isinstance(n, int) else list(n)
    if not chosen:
        raise SettingError(f"n must be at least 1, or seeds, not {n!r}.", ("seed",))
    return sweep(model, record, "seed", chosen, **changed)


def sweep(model: Model, record: SessionRecord, name: str, values: Sequence[Any], **changed: Any) -> pd.DataFrame:
    """Run the audio of a record once per value of a setting, and return the decisions, a column per value.

    Unlike `what_if`, which computes from the recorded numbers and is exact until the first decision that flips, this
    runs the model: each run goes on after its own replies.

    Parameters
    ----------
    model, record
        As in `seeds`.
    name, values
        Setting, such as ``"bias"``, and its values, each once.
    **changed
        Other settings of all runs.

    Returns
    -------
    pandas.DataFrame
        A row per chunk and a column per value, as of `seeds`.

    Raises
    ------
    SettingError
        If there is no value, or a setting is not allowed.
    SessionError
        If the record cannot be heard again.

    Examples
    --------
    >>> sweep(model, record, "bias", [-2.0, -1.0, 0.0, 1.0, 2.0]).sum()   # replies at each bias
    """
    import pandas as pd

    if not values:
        raise SettingError(f"The sweep of {name} needs one value or more.", (name,))
    records = run_several(model, record, [{**changed, name: value} for value in values])
    columns = {}
    for value, heard in zip(values, records, strict=True):
        decisions = heard.of_type(Decision)
        columns[value] = pd.Series(
            [decision.choice == TEXT for decision in decisions],
            [decision.chunk for decision in decisions],
            dtype="boolean",
        )
    raster = pd.DataFrame(columns)
    raster.index.name, raster.columns.name = "chunk", name
    return raster
