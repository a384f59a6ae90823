"""An interpreter that lacks the packages of a model, as after the install of a client of a class server."""

from __future__ import annotations

NO_TORCH = """\
import sys


class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "transformers", "torchaudio", "safetensors", "tokenizers"):
            raise ImportError(f"{name} is not installed here")


assert "torch" not in sys.modules
sys.meta_path.insert(0, Blocked())
"""
"""First statements of the interpreter."""
