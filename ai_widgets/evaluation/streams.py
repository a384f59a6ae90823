"""All streams of an evaluation in their order: scenes, long sessions and abilities of each part, and one to time.

The streams after a kill are those before it: material, hours and seed determine them, and each has the hash of the
audio up to it, which shows whether the recordings have changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from ai_widgets.evaluation.ability_scenes import ability_scenes
from ai_widgets.evaluation.long_sessions import SUITE, long_sessions
from ai_widgets.evaluation.material import Material
from ai_widgets.evaluation.scenes import Scene, scenes

SEEN, UNSEEN = "seen", "unseen"
"""Parts of an evaluation: the recordings of sources that training uses, and of those that are held back."""
ABILITY = "ability"
"""Kind of the scenes that each ask for one ability."""
SPEED = "speed"
"""Kind of the last stream of a part: one of its scenes, over which the players are timed."""

Key = tuple[str, str, int]
"""Part, kind (`scene`, `long`, `ability` or `speed`) and number of a stream."""


@dataclass(frozen=True)
class Stream:
    """One stream to hear.

    Attributes
    ----------
    part, kind, number
        Its key. The number seeds the random draws of the session.
    scene
        Audio, features and occasions.
    sha256
        Hash of the audio of all streams of this part and kind up to this one.
    """

    part: str
    kind: str
    number: int
    scene: Scene
    sha256: str

    @property
    def key(self) -> Key:
        """Key of the stream's results."""
        return self.part, self.kind, self.number


def streams(
    materials: Mapping[str, Material], hours: float, seed: int, sessions: int = 0, abilities: int = 0
) -> Iterator[Stream]:
    """Compose the streams of an evaluation, one at a time.

    Parameters
    ----------
    materials
        Recordings of each part.
    hours, seed
        Of the scenes of each part.
    sessions
        Number of long sessions of each part.
    abilities
        Number of scenes of each ability in each part. Machine voices are those of all parts: they are no people.

    Raises
    ------
    SettingError
        Where hours, sessions or abilities are out of their limits.
    """
    machines = [clip for material in materials.values() for clip in material.machines]
    for part, material in materials.items():
        timed: Scene | None = None
        digests = {kind: hashlib.sha256() for kind in ("scene", SUITE, ABILITY)}
        every = chain(
            (("scene", *each) for each in enumerate(scenes(material, hours, seed))),
            ((SUITE, *each) for each in enumerate(long_sessions(material, sessions, seed))),
            ((ABILITY, *each) for each in enumerate(ability_scenes(material, abilities, seed, machines))),
        )
        for kind, number, scene in every:
            digests[kind].update(scene.audio.tobytes())
            yield Stream(part, kind, number, scene, digests[kind].hexdigest())
            if kind == "scene" and (timed is None or (scene.suite == "mixed" and scene.chunks > timed.chunks)):
                timed = scene
        if timed is not None:
            yield Stream(part, SPEED, 0, timed, digests["scene"].hexdigest())
