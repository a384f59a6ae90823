"""Endpointing by silero-vad, a recurrent network that is installed with ``pip install "ai_widgets[eval]"``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ..errors import SettingError
from ..protocol import SAMPLE_RATE
from ..record.record import SessionRecord
from .endpointing import Array, Detector, Endpointing, EndpointingPolicy


class SileroDetector:
    """A detector that returns P(speech) of windows of 32 ms by silero-vad, a recurrent network with state."""

    window = 512

    def __init__(self) -> None:
        import torch

        self._torch = torch
        self._network = _load_silero()
        self._network.reset_states()

    def __call__(self, samples: Array) -> float:
        """Score the next window."""
        with self._torch.inference_mode():
            return float(self._network(self._torch.from_numpy(np.array(samples, np.float32)), SAMPLE_RATE))


def _load_silero() -> Any:
    import torch

    threads = torch.get_num_threads()
    try:
        package: Any = import_module("silero_vad")
    except ImportError as error:
        raise SettingError(
            'The silero policy needs the silero-vad package; install it with: pip install "ai_widgets[eval]".'
        ) from error
    finally:
        # Importing the package sets torch to one thread for the whole process.
        torch.set_num_threads(threads)
    return package.load_silero_vad()


class SileroPolicy(EndpointingPolicy):
    """Endpointing by silero-vad: speech is a window whose P(speech) is at least `threshold`.

    Parameters
    ----------
    threshold, release, hangover_s, shortest_s
        See `Endpointing`; the first two are probabilities, by default those of the package silero-vad.
    record
        Record of events and audio; a new record by default.
    detector
        Scores the windows; by default a new `SileroDetector`.

    Raises
    ------
    SettingError
        Where a value is not allowed (see `Endpointing`), or the package silero-vad is not installed.
    """

    name = "silero"

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        release: float = 0.15,
        hangover_s: float = 0.6,
        shortest_s: float = 0.1,
        record: SessionRecord | None = None,
        detector: Detector | None = None,
    ) -> None:
        rule = Endpointing(threshold=threshold, release=release, hangover_s=hangover_s, shortest_s=shortest_s)
        super().__init__(detector or SileroDetector(), rule, record)
