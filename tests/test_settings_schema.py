"""One declaration of a setting gives its check, its option, its documentation, its row and its field on the page."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.cli import main as command_line
from ai_widgets.cli.setting_options import add_setting_options, chosen
from ai_widgets.errors import SettingError
from ai_widgets.evaluation.command import SESSION_SETTINGS
from ai_widgets.evaluation.command import parser as evaluate_parser
from ai_widgets.setting_schema import Declared, Setting, declared, setting
from ai_widgets.settings import Settings
from ai_widgets.widget.live_settings import LiveSettings, described
from tests.page import Build
from tests.settings_tables import FIXTURE, README, filled, fixture, table

EVERY = (*Settings.schema, *LiveSettings.schema)


@declared
@dataclass(frozen=True, kw_only=True)
class Toy(Settings):
    """The session's settings, and a toy one: all that is written for a new setting."""

    warmth: float | None = setting(
        None, "Warms the replies by 5 % a `step`.", more="Toys only.", label="Warmth", group="Toys",
        low=0, high=2, above=True, unset="lukewarm",
    )  # fmt: skip


class TestNewSetting:
    """A setting that is declared once is everywhere."""

    def test_values_are_checked(self) -> None:
        assert Toy.of({"warmth": np.float32(1.5), "top_k": 3}).changed(seed=2).to_json()["warmth"] == 1.5
        with pytest.raises(SettingError, match=r"^warmth must be a number above 0 and at most 2, not 0\.$"):
            Toy(warmth=0)
        with pytest.raises(SettingError, match="no setting 'warmt'; did you mean warmth"):
            Toy.of({"warmt": 1})

    def test_the_command_line_has_its_option(self) -> None:
        parser = argparse.ArgumentParser()
        add_setting_options(parser, Toy)
        assert chosen(parser.parse_args(["--warmth", "1.5", "--no-mask"]), Toy) == Toy(warmth=1.5, mask=False)
        assert chosen(parser.parse_args([]), Toy) == Toy()
        words = " ".join(parser.format_help().split())
        assert "toys: --warmth FLOAT Warms the replies by 5 % a step. Default: lukewarm." in words

    def test_the_table_has_its_row(self) -> None:
        row = table(Toy).splitlines()[-1]
        assert row == (
            "| `warmth` | lukewarm | a number above 0 and at most 2 | Warms the replies by 5 % a `step`. Toys only. |"
        )

    def test_the_class_documents_it(self) -> None:
        text = (
            "warmth : a number above 0 and at most 2 or None, default lukewarm\n    Warms the replies by 5 % a `step`."
        )
        assert text in (Toy.__doc__ or "")

    def test_the_page_is_told_of_its_field(self) -> None:
        field = Toy.schema[-1].described()
        assert (field["name"], field["kind"], field["label"], field["group"]) == ("warmth", "float", "Warmth", "Toys")
        assert (field["help"], field["unset"]) == ("Warms the replies by 5 % a step.", "lukewarm")


class TestDeclaration:
    """A declaration that contradicts itself is found when the class is made."""

    def test_choices_are_those_of_the_annotation(self) -> None:
        @dataclass(frozen=True, kw_only=True)
        class Odd(Declared):
            word: Literal["a", "b"] = setting("a", "Chooses.", label="Word", group="G", choices={"a": "first"})

        with pytest.raises(TypeError, match="word is annotated with"):
            declared(Odd)

    def test_the_type_is_one_of_a_setting(self) -> None:
        @dataclass(frozen=True, kw_only=True)
        class Odd(Declared):
            many: list[int] = setting((), "Counts.", label="Many", group="G")

        with pytest.raises(TypeError, match="the type of no setting"):
            declared(Odd)

    @pytest.mark.parametrize("each", EVERY, ids=lambda each: each.name)
    def test_every_setting_has_words_and_an_allowed_default(self, each: Setting) -> None:
        assert each.label
        assert each.help.endswith(".")
        assert each.checked(each.default) == each.default
        assert bool(each.unset) == each.optional


class TestValues:
    @pytest.mark.parametrize(
        ("name", "value", "sentence"),
        [
            ("temperature", 10**400, "must be a number above 0 and at most 100, not a number of many digits."),
            ("seed", 10**5000, "must be a whole number from 0 to 9223372036854775807, not a number of many digits."),
            ("top_k", 10**5000, "must be a whole number of at least 0, not a number of many digits."),
            ("bias", "x" * 5000, "must be a number from -1000 to 1000, not text of 5000 characters."),
            ("context", ["slide"] * 999, "must be one of slide, stop, reset, not a list."),
        ],
        ids=lambda part: part if isinstance(part, str) and len(part) < 20 else "",
    )
    def test_the_sentence_on_a_huge_value_is_short(self, name: str, value: Any, sentence: str) -> None:
        """10**400 raised OverflowError, 10**5000 ValueError: no float holds the one, no text the other."""
        with pytest.raises(SettingError) as caught:
            Settings.of({name: value})
        assert str(caught.value) == f"{name} {sentence}"

    @given(
        st.sampled_from(EVERY),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers()),
            st.integers(308, 5000).map(lambda digits: 10**digits), st.fractions(), st.complex_numbers(),
        ),
    )  # fmt: skip
    def test_any_value_is_kept_as_plain_json_or_refused_by_name(self, each: Setting, value: Any) -> None:
        kept, refused = outcome(each, value)
        if refused is None:
            assert json.loads(json.dumps(kept, allow_nan=False)) == kept
            assert kept == value or math.isclose(kept, value)
        else:
            assert str(refused).startswith(f"{each.name} must be ")
            assert refused.names == (each.name,)


def outcome(each: Setting, value: Any) -> tuple[Any, SettingError | None]:
    """What a setting keeps of a value, and why it was refused."""
    try:
        return each.checked(value), None
    except SettingError as error:
        return None, error


class TestCommandLine:
    def test_every_session_setting_has_an_option_of_run(self) -> None:
        given = command_line._parser().parse_args(["run", "a.wav"])
        assert chosen(given, Settings) == Settings()
        for each in Settings.schema:
            option, how = each.option()
            values = {"bool": [], "int": ["1"], "float": ["1"], "str": ["1"], "choice": ["stop"]}[each.kind]
            settings = chosen(command_line._parser().parse_args(["run", "a.wav", option, *values]), Settings)
            assert settings == Settings().changed(
                **{each.name: not each.default if each.kind == "bool" else how.get("type", str)(values[0])}
            )

    def test_the_options_of_before_are_still_there(self) -> None:
        words = (
            "--temperature 1 --top-k 0 --top-p 0.9 --bias -2 --no-mask --seed 5 --system-prompt Hi --context reset "
            "--context-limit 400 --context-seconds 12 --max-new-tokens 60"
        )
        settings = chosen(command_line._parser().parse_args(["run", "a.wav", *words.split()]), Settings)
        assert settings == Settings(
            temperature=1, top_k=0, top_p=0.9, bias=-2, mask=False, seed=5, system_prompt="Hi", context="reset",
            context_limit=400, context_seconds=12, max_new_tokens=60,
        )  # fmt: skip

    def test_greedy_and_a_temperature_exclude_each_other(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit):
            command_line._parser().parse_args(["run", "a.wav", "--greedy", "--temperature", "1"])
        assert "not allowed with argument --greedy" in capsys.readouterr().err

    def test_evaluate_has_the_same_ones_and_a_seed_of_its_own(self) -> None:
        given = evaluate_parser().parse_args(["--context", "stop", "--forget-after-reply"])
        chosen_here = {name: getattr(given, name) for name in SESSION_SETTINGS}
        assert Settings.of(chosen_here) == Settings(context="stop", forget_after_reply=True)
        assert given.seed == 2026


def test_the_readme_has_the_tables_of_the_schema() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == filled(text), "The README's tables differ from the schema; run: python -m tests.settings_tables"


def test_the_pages_tests_draw_the_schema_of_today() -> None:
    assert FIXTURE.read_text(encoding="utf-8") == fixture(), "Run: python -m tests.settings_tables"


def test_pages_are_told_the_schema(build: Build) -> None:
    """All settings but the microphone and the view, which are chosen in the control bar."""
    widget = build().widget
    assert widget.settings_schema == described()
    assert [field["name"] for field in described()] == [
        name for name in (*widget.settings, *widget.live) if name not in ("device", "view")
    ]
    assert "settings_schema" in widget._kernel_owned
    json.dumps(widget.settings_schema, allow_nan=False)
