"""``python -m ai_widgets.training``: the same as ``ai-widgets train``."""

import sys

from ai_widgets.training.command import main

if __name__ == "__main__":
    sys.exit(main())
