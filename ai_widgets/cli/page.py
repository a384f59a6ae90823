"""``ai-widgets page``: write a page with a checkpoint and its engine in it."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def write_page(given: argparse.Namespace) -> int:
    """Export the checkpoint, write the folder or the single file, and say how to open it.

    Raises
    ------
    PageError
        If the page cannot be written there, or the front end was not built.
    CheckpointError, MissingPackageError
        If the checkpoint cannot be loaded or exported.
    RecordError
        If the recording cannot be read.
    """
    from tqdm import tqdm

    from ..inference import load_model
    from ..model.onnx.export import STEPS
    from ..model.onnx.graphs import require_onnx
    from ..page.contents import check_recording, contents
    from ..page.files import built
    from ..page.single_file import check_single_file, write_single_file
    from ..page.site import check_site, write_site

    target = Path(given.out)
    (check_single_file if given.single_file else check_site)(target)
    built()
    require_onnx()
    model = load_model(given.checkpoint, "cpu", "float32", given.revision)
    recording = None if given.recording is None else Path(given.recording)
    if recording is not None:
        check_recording(model, recording)
    print(f"Exporting {model.name} to ONNX; this takes some seconds.", file=sys.stderr)
    with tqdm(total=STEPS, desc="exporting", unit="step", leave=False) as bar:
        found = contents(model, recording, step_done=bar.update)
    if given.single_file:
        write_single_file(found, target)
        print(f"{target} ({target.stat().st_size / 1e6:.1f} MB): open it in a browser; it needs no server.")
    else:
        write_site(found, target)
        size = sum(map(len, found.values()))
        print(
            f"{target} ({len(found)} files, {size / 1e6:.1f} MB): upload it to any web server. "
            f"To see it here: python -m http.server --bind 127.0.0.1 --directory {target}"
        )
    return 0
