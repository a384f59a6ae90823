"""Export the embedded checkpoint for the front end's tests: ``python -m tests.engine_model build/engine-model``."""

from __future__ import annotations

import sys
from pathlib import Path

from ai_widgets.inference import load_model
from ai_widgets.model.onnx.export import write_export

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write_export(load_model("tiny", "cpu"), folder)
    print(f"{folder} has {', '.join(sorted(path.name for path in folder.iterdir()))}")
