"""The recipe of a training, and those of the shipped checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ai_widgets.errors import SettingError
from ai_widgets.training.compose_events import REPEATING_SHARE
from ai_widgets.training.curriculum import Course, Shape
from ai_widgets.training.event_windows import Mixture
from ai_widgets.training.network import Sizes
from ai_widgets.training.objective import Weights
from ai_widgets.training.token_sequences import ADVANCED


@dataclass(frozen=True)
class Recipe:
    """The parameters of a training; `SHIPPED` are those of the shipped checkpoint's last run.

    `course` adds windows to the streams and fixes the shapes of all batches; None trains on streams alone. `averaged`
    is the decay of an exponential moving average of the weights, which is then exported; 0 for no average. `compiled`
    compiles the network with `torch.compile`, which takes minutes and pays off where batches have few shapes
    (`curriculum.py`). `reply_bias` is added to the exported logit of TEXT_BEGIN, `unknown_bias` to those of the tokens
    that say that a word is unknown (`operating_point.py`); the training state does not contain them.

    `minutes` are minutes of processor time of one thread, so that other processes do not shorten a training; on a GPU
    minutes by the clock. `steps` above 0 ends a training after that many steps in place of minutes, so that a slower
    machine trains as much in a longer time.
    `attended` limits attention to that many positions, the size of a sliding context, so that long streams train what a
    session computes after slides; 0 for no limit. `repeating` is the share of the pieces of streams in which a sound
    comes again and again, `advanced` the share of those sounds that are counted from a random number on.
    """

    minutes: float = 20.0
    steps: int = 0
    attended: int = 0
    repeating: float = REPEATING_SHARE
    advanced: float = ADVANCED
    rate: float = 2e-3
    warmup: float = 0.02
    weight_decay: float = 0.05
    positions: int = 2600
    perturbation: float = 0.12
    seed: int = 1
    threads: int = 2
    bfloat16: bool = True
    save_every_s: float = 90.0
    log_every_s: float = 10.0
    averaged: float = 0.0
    compiled: bool = False
    reply_bias: float = 0.0
    unknown_bias: float = 0.0
    course: Course | None = None
    weights: Weights = field(default_factory=Weights)
    sizes: Sizes = field(default_factory=Sizes)

    def __post_init__(self) -> None:
        """Raise `SettingError` where the training would have no end."""
        if not self.minutes > 0:
            raise SettingError(f"A recipe's minutes must be above 0, not {self.minutes:g}.")
        if self.steps < 0:
            raise SettingError(f"A recipe's steps must be 0, for a training by minutes, or more, not {self.steps}.")


HARD: dict[str, float] = {
    "cat": 4, "animal": 3, "birds": 3, "door": 3, "drinking": 3, "footsteps": 3, "hen": 3, "horn": 3, "impact": 3,
    "notification": 3, "bells": 2, "cow": 2, "crow": 2, "fireworks": 2, "frog": 2, "glass_breaking": 2, "horse": 2,
    "pig": 2, "sheep": 2,
}  # fmt: skip
"""Weights of the labels of ambience to whose training recordings the sixth version replied, or that are like them."""
ON_A_GPU = Recipe(
    minutes=7.9,
    attended=401,
    rate=1e-3,
    warmup=0.03,
    perturbation=0.1,
    seed=9,
    threads=1,
    save_every_s=60.0,
    averaged=0.9985,
    course=Course(
        windows_first=0.6,
        windows_last=0.35,
        window=Shape(160, 6, 112),
        streams=Shape(16, 45, 800),
        long_streams=Shape(5, 110, 1920),
        long_share=0.35,
        mixture=Mixture(words=0.23, speech=0.14, sounds=0.32, ambience=0.31),
        hard=HARD,
        renewed=0.5,
    ),
    weights=Weights(decision=4.0, text=1.5, kinds=0.8, words=1.0, phones=0.3, silence=1.6),
)
"""The recipe of the shipped checkpoint's first run: on a GPU, begun with the layers of the version before it."""
SHIPPED = replace(
    ON_A_GPU,
    minutes=104.0,
    repeating=0.5,
    advanced=0.7,
    rate=6e-4,
    seed=13,
    save_every_s=90.0,
    averaged=0.998,
    compiled=True,
    unknown_bias=-2.0,
    course=Course(
        windows_first=0.4,
        windows_last=0.3,
        streams=Shape(4, 45, 800),
        long_share=0.15,
        mixture=Mixture(words=0.25, speech=0.16, sounds=0.26, ambience=0.33),
        hard=HARD,
    ),
    weights=replace(ON_A_GPU.weights, ordinals=6.0),
)
"""The recipe of its last run: two processes on a CPU, on streams in which sounds often come again and are counted."""
