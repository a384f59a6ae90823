"""Settings: what may be chosen, and sentences for what may not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ai_widgets.errors import ReadOnlyError, SettingError
from ai_widgets.settings import Settings

BAD: list[tuple[str, Any]] = [
    ("greedy", 1),
    ("mask", "yes"),
    ("strict", None),
    ("temperature", 0),
    ("temperature", -1.0),
    ("temperature", 101),
    ("temperature", math.nan),
    ("temperature", True),
    ("temperature", "0.3"),
    ("top_k", -1),
    ("top_k", 2.5),
    ("top_k", True),
    ("top_p", 0),
    ("top_p", 1.01),
    ("seed", -1),
    ("seed", None),
    ("seed", 2**63),
    ("bias", math.nan),
    ("bias", math.inf),
    ("bias", None),
    ("context", "slid"),
    ("context_limit", 0),
    ("max_new_tokens", 0),
    ("max_reply_tokens", 0),
    ("alternatives", -1),
    ("alternatives", 101),
    ("system_prompt", 3),
]


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_named_with_its_setting(name: str, value: Any) -> None:
    with pytest.raises(SettingError) as caught:
        Settings.of({name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} must be")
    assert message.endswith(".")


@pytest.mark.parametrize(
    ("given", "meant"), [("temprature", "temperature"), ("topk", "top_k"), ("max_tokens", "max_new_tokens")]
)
def test_an_unknown_name_suggests_the_nearest(given: str, meant: str) -> None:
    with pytest.raises(SettingError, match=f"no setting '{given}'; did you mean {meant}\\?"):
        Settings.of({given: 1})


def test_a_name_near_to_nothing_lists_all() -> None:
    with pytest.raises(SettingError, match=r"known are greedy, temperature, .*alternatives"):
        Settings.of({"zzz": 1})


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": 0.3, "top_k": 3, "max_new_tokens": 4096},
        {"temperature": 1, "top_k": 0, "mask": False, "forget_after_reply": True},
        {"greedy": True, "context": "stop"},
        {"seed": 2**63 - 1, "top_p": 1, "bias": -1000, "alternatives": 0, "system_prompt": ""},
    ],
)
def test_good_values_are_taken(values: dict[str, Any]) -> None:
    settings = Settings.of(values)
    assert {name: getattr(settings, name) for name in values} == values


def test_settings_are_frozen_and_a_change_is_checked() -> None:
    settings = Settings(seed=3)
    with pytest.raises(ReadOnlyError, match=r"session\.change\(seed=4\)"):
        settings.seed = 4  # type: ignore[misc]
    assert settings.changed(bias=1.0) == Settings(seed=3, bias=1.0)
    with pytest.raises(SettingError, match="did you mean seed"):
        settings.changed(sed=1)
    with pytest.raises(SettingError, match="top_p must be"):
        settings.changed(top_p=2)


def test_settings_are_plain_values() -> None:
    assert Settings.of(Settings(seed=5, top_k=2).to_json()) == Settings(seed=5, top_k=2)
