"""Endpointing by silero-vad, a recurrent network that is installed with ``pip install "ai_widgets[eval]"``."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ..errors import SettingError
from ..model.threads import intra_op_threads
from ..protocol import SAMPLE_RATE
from .endpointing import Endpointing, EndpointingPolicy
from .policy import Array, Detector

STATE = ("_state", "_context", "_last_sr", "_last_batch_size")
"""Attributes of silero-vad's network (6.2) that hold the state of a stream. The network replaces their values and never
changes them in place."""


class SileroDetector:
    """A detector that returns P(speech) of windows of 32 ms by silero-vad, a recurrent network with state."""

    window = 512

    def __init__(self) -> None:
        import torch

        self._torch = torch
        self._network = _silero_vad().load_silero_vad()
        self._network.reset_states()

    def __call__(self, samples: Array) -> float:
        """Score the next window."""
        # The network is small: a second thread costs more than it saves, above all where others use the processor.
        with self._torch.inference_mode(), intra_op_threads(1):
            return float(self._network(self._torch.from_numpy(np.array(samples, np.float32)), SAMPLE_RATE))

    def mark(self) -> dict[str, Any]:
        """Return the state of the network, for `return_to`; empty if the network keeps it elsewhere."""
        return {name: getattr(self._network, name) for name in STATE if hasattr(self._network, name)}

    def return_to(self, mark: dict[str, Any]) -> None:
        """Restore the state that `mark` returned; the state of a new stream if it is empty."""
        self._network.reset_states()
        for name, value in mark.items():
            setattr(self._network, name, value)


def _silero_vad() -> Any:
    import torch

    threads = torch.get_num_threads()
    try:
        return import_module("silero_vad")
    except ImportError as error:
        raise SettingError(
            'The silero policy needs the silero-vad package; install it with: pip install "ai_widgets[eval]".'
        ) from error
    finally:
        # Importing the package sets torch to one thread for the whole process.
        torch.set_num_threads(threads)


class Silero(EndpointingPolicy):
    """Endpointing by silero-vad: speech is a window whose P(speech) is at least `threshold`.

    Every session has a network of its own (2 MB), since the network holds the state of a stream.

    Parameters
    ----------
    threshold, release, hangover_s, shortest_s
        See `Endpointing`; the first two are probabilities, by default those of the package silero-vad.

    Raises
    ------
    SettingError
        If a value is not allowed (see `Endpointing`), or the package silero-vad is not installed.

    Examples
    --------
    >>> aiw.AudioInteraction(aiw.policies.Silero())
    """

    name = "silero"
    window = SileroDetector.window
    score_name = "P(speech)"
    score_range = (0.0, 1.0)

    def __init__(
        self, *, threshold: float = 0.5, release: float = 0.15, hangover_s: float = 0.6, shortest_s: float = 0.1
    ) -> None:
        super().__init__(
            Endpointing(threshold=threshold, release=release, hangover_s=hangover_s, shortest_s=shortest_s)
        )
        # A missing package is reported here, and not on the widget's thread at the first chunk.
        _silero_vad()

    def open_detector(self) -> Detector:
        """Create the detector of a new stream, with a network of its own."""
        return SileroDetector()
