"""Names of chunks in a sentence, runs of chunks in short."""

from __future__ import annotations

from collections.abc import Iterable

MOST_RUNS = 4
"""Runs of chunks that are named; the number of the other chunks is told, so that a sentence stays readable."""


def chunk_names(chunks: Iterable[int]) -> str:
    """Name chunks, consecutive ones as a run.

    Examples
    --------
    >>> chunk_names([3]), chunk_names([3, 4, 5, 9])
    ('chunk 3', 'chunks 3 to 5, 9')
    """
    given = sorted(set(chunks))
    runs: list[list[int]] = []
    for chunk in given:
        if runs and chunk == runs[-1][-1] + 1:
            runs[-1].append(chunk)
        else:
            runs.append([chunk])
    names = [str(run[0]) if len(run) == 1 else f"{run[0]} to {run[-1]}" for run in runs[:MOST_RUNS]]
    left = sum(len(run) for run in runs[MOST_RUNS:])
    return f"chunk{'s' if len(given) > 1 else ''} {', '.join(names)}{f' and {left} others' if left else ''}"
