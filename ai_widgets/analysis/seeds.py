"""Seeds and sweeps: the decisions on the same audio under several values of a setting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import SettingError
from ..protocol import Decision
from ..record.record import SessionRecord
from ..session.replay import run_again, run_several
from .decision_rule import TEXT
from .onset import place

if TYPE_CHECKING:
    import pandas as pd
    from plotly import graph_objects as go

    from ..session.listening import ListeningModel


@dataclass(frozen=True)
class Seeds:
    """Decisions on the same audio under several seeds.

    Attributes
    ----------
    begun
        Chunks after which a reply began, by seed, in order.
    decided
        Chunks that have a decision, by seed, in order.
    settings
        Settings that differ from the record's, without the seed.
    """

    begun: Mapping[int, tuple[int, ...]]
    decided: Mapping[int, tuple[int, ...]]
    settings: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Return `seeds`, by which a page knows what it shows."""
        return "seeds"

    def __str__(self) -> str:
        """Say in one line when the seeds reply; the page says the same."""
        firsts = [chunks[0] for chunks in self.begun.values() if chunks]
        count = len(self.begun)
        if not firsts:
            return f"No reply comes with any of {count} seeds."
        common, times = min(Counter(firsts).items(), key=lambda item: (-item[1], item[0]))
        if times == count:
            said = f"{'The seed replies' if count == 1 else f'All {count} seeds reply'} first after {place(common)}"
        elif times == len(firsts):
            reply = "reply, all" if times > 1 else "replies,"
            said = f"{times} of {count} seeds {reply} first after {place(common)}"
        else:
            said = f"{len(firsts)} of {count} seeds reply: first from {place(min(firsts))} to {place(max(firsts))}"
            if times > 1:
                said += f", most often after {place(common)}, {times} times"
        same = len(set(self.begun.values())) == 1
        return f"{said}; all replies begin at the same chunks." if same and count > 1 else f"{said}."

    @property
    def table(self) -> pd.DataFrame:
        """Raster of the decisions.

        A row per chunk and a column per seed, of pandas' `boolean`: True where a reply began, missing where the chunk
        has no decision.
        """
        return _raster("seed", self.decided, self.begun)

    def plot(self) -> go.Figure:
        """Draw the raster, a row per seed, and the share of the seeds that reply after each chunk, over time.

        Returns
        -------
        plotly.graph_objects.Figure
        """
        from .plots import seeds_figure

        return seeds_figure(self)

    def to_json(self) -> dict[str, Any]:
        """Return what a page needs for the same raster: the settings, and a list per seed of each kind of chunks."""
        return {
            "settings": dict(self.settings),
            "seeds": list(self.begun),
            "begun": [list(chunks) for chunks in self.begun.values()],
            "decided": [len(chunks) for chunks in self.decided.values()],
        }


def seeds(
    model: ListeningModel,
    record: SessionRecord,
    n: int | Iterable[int] = 20,
    *,
    watch: Callable[[int, int], object] | None = None,
    **changed: Any,
) -> Seeds:
    """Run the audio of a record once per seed, and return a raster of the decisions.

    Sixteen runs at a time share each forward pass (`Ensemble`), and encode their common audio once; with `watch` they
    come one after the other.

    Parameters
    ----------
    model, record
        Model that hears, and the record whose audio it hears, with the record's settings.
    n
        Number of seeds, 0 to n − 1, or the seeds.
    watch
        Called after each step with the number of chunks heard in all runs, and of all chunks of all runs; what it
        raises ends the run.
    **changed
        Other settings of all runs, such as ``temperature=1.0``.

    Raises
    ------
    SettingError
        If there is no seed, or a setting is not allowed.
    SessionError
        If the record cannot be heard again.

    Examples
    --------
    >>> raster = seeds(model, record, 20)
    >>> print(raster)
    17 of 20 seeds reply: first from chunk 10 (4.4 s) to chunk 18 (7.6 s), most often after chunk 12 (5.2 s), 9 times.
    >>> raster.table.mean(axis=1)       # share of the seeds that reply after each chunk
    """
    chosen = list(range(n)) if isinstance(n, int) else list(dict.fromkeys(n))
    if not chosen:
        raise SettingError(f"n must be at least 1, or seeds, not {n!r}.", ("seed",))
    begun, decided = dict[int, tuple[int, ...]](), dict[int, tuple[int, ...]]()
    for seed, heard in zip(chosen, _heard(model, record, chosen, watch, changed), strict=True):
        decisions = heard.of_type(Decision)
        decided[seed] = tuple(decision.chunk for decision in decisions)
        begun[seed] = tuple(decision.chunk for decision in decisions if decision.choice == TEXT)
    return Seeds(begun, decided, {name: value for name, value in changed.items() if name != "seed"})


def _heard(
    model: ListeningModel,
    record: SessionRecord,
    chosen: Sequence[int],
    watch: Callable[[int, int], object] | None,
    changed: Mapping[str, Any],
) -> Iterable[SessionRecord]:
    """Return the record of each seed: of runs that share their forward passes, or one after the other if watched."""
    changes = [{**changed, "seed": seed} for seed in chosen]
    if watch is None:
        return run_several(model, record, changes)
    each = record.chunks_heard
    reports = (_counted(watch, done * each, len(chosen) * each) for done in range(len(chosen)))
    return (run_again(model, record, watch=report, **one) for report, one in zip(reports, changes, strict=True))


def _counted(watch: Callable[[int, int], object], before: int, total: int) -> Callable[[int], object]:
    return lambda heard: watch(before + heard, total)


def sweep(
    model: ListeningModel, record: SessionRecord, name: str, values: Sequence[Any], **changed: Any
) -> pd.DataFrame:
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
    if not values:
        raise SettingError(f"The sweep of {name} needs one value or more.", (name,))
    records = run_several(model, record, [{**changed, name: value} for value in values])
    heard = {value: run.of_type(Decision) for value, run in zip(values, records, strict=True)}
    return _raster(
        name,
        {value: [decision.chunk for decision in decisions] for value, decisions in heard.items()},
        {value: [each.chunk for each in decisions if each.choice == TEXT] for value, decisions in heard.items()},
    )


def _raster(name: str, decided: Mapping[Any, Sequence[int]], begun: Mapping[Any, Sequence[int]]) -> pd.DataFrame:
    """Build a table of decisions: a row per chunk, a column per value of `name`, True where a reply began."""
    import pandas as pd

    columns = {}
    for value, chunks in decided.items():
        began = set(begun[value])
        columns[value] = pd.Series([chunk in began for chunk in chunks], list(chunks), dtype="boolean")
    raster = pd.DataFrame(columns)
    raster.index.name, raster.columns.name = "chunk", name
    return raster
