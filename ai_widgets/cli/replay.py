"""``ai-widgets replay``: run a recording again, and say whether every decision, token and reply is the same."""

from __future__ import annotations

import argparse
import sys
import warnings

from ..errors import RecordWarning, SettingError, printable
from ..inference import load_model
from ..record.record import SessionRecord
from ..session.replay import TOLERANCE

REPRODUCED, DIFFERENT = 0, 1
"""Exit codes; a recording that cannot be read or run again has the code of unusable input, 2."""


def replay_recording(given: argparse.Namespace) -> int:
    """Run ``ai-widgets replay`` with parsed options and return the exit code.

    Raises
    ------
    AiWidgetsError
        If an option, the recording or the checkpoint cannot be used.
    """
    tolerance = TOLERANCE if given.tolerance is None else given.tolerance
    if not tolerance >= 0:
        raise SettingError(f"--tolerance must be a number of at least 0, not {given.tolerance}.")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", RecordWarning)
        record = SessionRecord.load(given.recording)
    for warning in caught:
        print(printable(str(warning.message)), file=sys.stderr)
    recorded = record.header.model
    name = given.checkpoint or str(recorded.get("name") or "tiny")
    revision = given.revision
    if revision is None and given.checkpoint is None:
        revision = recorded.get("revision")
    model = load_model(name, given.device, given.dtype, revision, quantize=given.quantize)
    replayed = model.replay(record, tolerance)
    print(f"{printable(str(given.recording))}: {printable(str(replayed))}.")
    return REPRODUCED if replayed.reproduced else DIFFERENT
