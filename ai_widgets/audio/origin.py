"""`Origin`: where audio comes from and when it arrived, from the browser's block to the chunk's `Timing`."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Origin:
    """Origin of a piece of audio. A chunk has the origin of the block that completed it.

    Made once, when the audio arrives, and carried unchanged. Without arguments: audio from Python that arrives now.

    Attributes
    ----------
    stream, seq
        Stream and sequence number of the browser's block; 0 and −1 for audio that is not from a browser's block.
    microphone
        Whether the audio comes from a microphone. Only such audio has a deadline, may be dropped, and can be late.
    arrived
        Arrival of the last sample in the kernel, in seconds of `time.perf_counter`.
    age_s
        Seconds between the capture of the last sample and `arrived`; 0 where unknown.

    Examples
    --------
    >>> Origin().stream, Origin().seq
    (0, -1)
    """

    stream: int = 0
    seq: int = -1
    microphone: bool = False
    arrived: float = field(default_factory=perf_counter)
    age_s: float = 0.0
