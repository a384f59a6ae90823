"""Checks of the options of ``ai-widgets run`` that do not go together; imports nothing that imports torch."""

from __future__ import annotations

import argparse

from ..errors import SettingError

MOST_PLACES, MOST_WORKERS = 512, 64
"""Maximum of `--places`, whose contexts of the published model take 38 GB, and of `--workers`; more is a mistake."""


def check_options(given: argparse.Namespace) -> None:
    """Raise a `SettingError` for options that do not go together."""
    if given.ray is not None or given.parquet is not None:
        _check_ray(given)
        return
    if given.separate:
        for option, value in (("--save", given.save), ("--html", given.html)):
            if value is not None:
                raise SettingError(f"{option} holds one session, and --separate makes one of each file; use --json.")
        if given.resume and given.json in (None, "-"):
            raise SettingError("--resume continues the file of --json; give its name.")
        for option, value, most in (
            ("--places", given.places, MOST_PLACES),
            ("--workers", given.workers, MOST_WORKERS),
        ):
            if value is not None and not 1 <= value <= most:
                raise SettingError(f"{option} must be from 1 to {most}, not {value}.")
        return
    useless = {"--places": given.places, "--workers": given.workers, "--resume": given.resume or None}
    named = [option for option, value in useless.items() if value is not None]
    if named:
        raise SettingError(f"{', '.join(named)} can only be given with --separate.")


def _check_ray(given: argparse.Namespace) -> None:
    if given.ray is None or given.parquet is None:
        raise SettingError("--ray and --parquet go together: the address of a cluster, and the folder for its events.")
    for option, value in (("--json", given.json), ("--save", given.save), ("--html", given.html)):
        if value is not None:
            raise SettingError(f"{option} cannot be given with --ray, which writes the events to --parquet.")
    for option, value in (("--places", given.places), ("--workers", given.workers)):
        if value is not None and value < 1:
            raise SettingError(f"{option} must be at least 1, not {value}.")
