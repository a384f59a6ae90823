"""Command-line options for the settings of a class, made from its schema."""

from __future__ import annotations

import argparse
from collections.abc import Collection
from typing import TypeVar

from ..setting_schema import Declared

D = TypeVar("D", bound=Declared)


def add_setting_options(parser: argparse.ArgumentParser, of: type[Declared], exclusive: Collection[str] = ()) -> None:
    """Add one option for each setting of a class, in the groups of its schema.

    Parameters
    ----------
    parser
        Gets the options: ``--top-k`` for `top_k`, and ``--no-mask`` for a switch that is on by default.
    of
        The class.
    exclusive
        Names of one group of which at most one may be given.
    """
    groups: dict[str, argparse._ArgumentGroup] = {}
    excluding: argparse._MutuallyExclusiveGroup | None = None
    for each in of.schema:
        if each.group not in groups:
            groups[each.group] = parser.add_argument_group(each.group.lower())
        target: argparse._ActionsContainer = groups[each.group]
        if each.name in exclusive:
            excluding = excluding or groups[each.group].add_mutually_exclusive_group()
            target = excluding
        option, how = each.option()
        target.add_argument(option, **how)


def chosen(given: argparse.Namespace, of: type[D]) -> D:
    """Return the settings that parsed options hold.

    Raises
    ------
    SettingError
        A value is not allowed.
    """
    return of.of({name: getattr(given, name) for name in of.names()})
