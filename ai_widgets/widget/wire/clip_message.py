"""Message of a page about the package's clips: play one."""

from __future__ import annotations

from .limits import Pace, TailSeconds, Text
from .page_message import PageMessage


class PlayClip(PageMessage, frozen=True, tag="play_clip"):
    """Request to play a clip of the package, which the kernel reads from its disk.

    Attributes
    ----------
    clip
        Name of the clip, one of `CLIPS`.
    pace
        Pace at which it is played.
    tail_s
        Seconds of silence that follow the clip.
    """

    clip: Text
    pace: Pace
    tail_s: TailSeconds
    page: Text = ""
