"""Script: what happened to a session from outside its model, chunk by chunk, so that it can happen again.

The decisions and the replies follow from the audio, the settings and the seed. A change of settings, an interrupt, a
forced decision, a failure of the model and a context that an interrupt lost do not: they are read off the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..protocol import Chunk, Decision, Ending, Event, Notice, Token, Turn
from ..settings import Settings

SETTING_NAMES = frozenset(Settings.names())
"""Names of a session's settings; a record tells changes of others, such as a widget's `arrival`, too."""


@dataclass(frozen=True)
class Cut:
    """End of a reply that the model did not choose: the reason, and the steps of the reply that came before."""

    why: Ending
    steps: int


@dataclass(frozen=True)
class Script:
    """What happens to a session from outside, by index of the chunk.

    Attributes
    ----------
    settings
        Settings that change from the chunk on.
    force
        Name of the token that the decision is forced to.
    cuts
        Ends of replies by an interrupt or an error.
    undecided
        Chunks without a decision, although the session had not ended.
    lost
        Chunks before whose decision an interrupt lost the context.
    """

    settings: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    force: Mapping[int, str] = field(default_factory=dict)
    cuts: Mapping[int, Cut] = field(default_factory=dict)
    undecided: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()

    @staticmethod
    def of(events: Iterable[Event]) -> Script:
        """Read the script off the events of a session.

        Examples
        --------
        >>> Script.of(record.events).cuts
        {12: Cut(why='interrupted', steps=3)}
        """
        settings, force, cuts = dict[int, Mapping[str, Any]](), dict[int, str](), dict[int, Cut]()
        heard, lost = list[int](), set[int]()
        steps, ended, losing = 0, False, False
        for event in events:
            if isinstance(event, Chunk) and not ended:
                heard.append(event.chunk)
            elif isinstance(event, Decision):
                heard.remove(event.chunk)
                steps = 0
                if "forced" in event.rule:
                    force[event.chunk] = str(event.rule["forced"])
                if losing:
                    lost.add(event.chunk)
                    losing = False
            elif isinstance(event, Token):
                steps += 1
            elif isinstance(event, Turn) and event.ended in ("interrupted", "error"):
                cuts[event.chunk] = Cut(event.ended, steps)
            elif isinstance(event, Notice):
                steps += event.kind == "context_slide"
                losing = losing or (event.kind == "context_reset" and event.data.get("why") == "interrupted")
                if event.kind == "settings":
                    changed = {name: value for name, value in event.data["changed"].items() if name in SETTING_NAMES}
                    settings[event.chunk] = {**settings.get(event.chunk, {}), **changed}
                elif event.kind in ("limit", "context_full") and "drawn" in event.data:
                    # The session ended by its own settings: this and later chunks are heard again.
                    heard.pop()
                    ended = True
        return Script(settings, force, cuts, frozenset(heard), frozenset(lost))

    def after(self, chunk: int, keep: Iterable[str] = ()) -> Script:
        """Return the script for a session that continues at a chunk with other settings.

        Parameters
        ----------
        chunk
            First chunk; its own change of settings is omitted, because the session begins with it.
        keep
            Names of settings that later changes leave alone.
        """
        kept = set(keep)
        later = {
            at: {name: value for name, value in changed.items() if name not in kept}
            for at, changed in self.settings.items()
            if at > chunk
        }
        return Script(later, self.force, self.cuts, self.undecided, self.lost)
