"""Checkpoint loading, the audio tower and the language model."""

import logging

# transformers imports torchao if installed, and torchao warns about every CUDA kernel that this machine cannot use and
# about changed internals of torch. A user who needs these warnings can set the level back.
for _name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_name).setLevel(logging.ERROR)
