"""Checkpoints, the audio tower and the language model."""

import logging

# transformers imports torchao where it is installed, and torchao warns of every CUDA kernel that this machine cannot
# use and of details of its own that torch has changed. Whoever wants to know can lower the level again.
for _name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_name).setLevel(logging.ERROR)
