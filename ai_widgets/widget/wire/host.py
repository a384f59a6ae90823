"""What a notebook host does with messages, detected by what it sets in its kernels."""

from __future__ import annotations

import os
import sys


def shows_only_answers() -> bool:
    """Return whether the host may show nothing that a background thread sends while no cell runs.

    Colab is known to do so (googlecolab/colabtools#3373). Of Kaggle it is not documented, so the safe way is taken:
    a page that polls works on every host, only 0.25 s later.
    """
    return "google.colab" in sys.modules or "KAGGLE_KERNEL_RUN_TYPE" in os.environ
