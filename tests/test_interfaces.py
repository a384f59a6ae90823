"""The interfaces of a model: real classes, the scripted fake and the policies satisfy them, and nothing needs more."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from ai_widgets.inference import Model
from ai_widgets.model import interfaces
from ai_widgets.policies import AlwaysSilent, Energy
from ai_widgets.session import listening
from tests.scripted import scripted

CLAIMS = """
from ai_widgets.evaluation.lookahead import LookaheadDecoder
from ai_widgets.inference import Model
from ai_widgets.model.context import Context
from ai_widgets.model.decoder import Decoder
from ai_widgets.model.encoder import Encoder
from ai_widgets.model.interfaces import AudioEncoder, LanguageModel, TokenContext, TokenDecoder
from ai_widgets.policies import AlwaysReply, AlwaysSilent, Energy, Policy, Silero
from ai_widgets.policies.energy import LevelDetector
from ai_widgets.policies.policy import Detector, DetectorStream, PolicyProgress, PolicyTurns
from ai_widgets.policies.silero import SileroDetector
from ai_widgets.session.listening import ChunkStream, ListeningModel, TurnProgress, TurnTaker
from ai_widgets.session.perceive import LogMelStream
from ai_widgets.session.turn_state import TurnState
from ai_widgets.session.turns import TurnTaking
from tests.scripted import ScriptedContext, ScriptedDecoder


def encoder(one: Encoder) -> AudioEncoder:
    return one


def contexts(one: Context, fake: ScriptedContext) -> list[TokenContext]:
    return [one, fake]


def decoders(one: Decoder, ahead: LookaheadDecoder, fake: ScriptedDecoder) -> list[TokenDecoder]:
    return [one, ahead, fake]


def language(one: Model) -> LanguageModel:
    return one


def models(one: Model, policy: Policy) -> list[ListeningModel]:
    return [one, policy, Silero(), Energy(), AlwaysReply(), AlwaysSilent()]


def streams(one: LogMelStream, other: DetectorStream) -> list[ChunkStream]:
    return [one, other]


def takers(one: TurnTaking, other: PolicyTurns) -> list[TurnTaker]:
    return [one, other]


def states(one: TurnState, other: PolicyProgress) -> list[TurnProgress]:
    return [one, other]


def detectors(one: LevelDetector, other: SileroDetector) -> list[Detector]:
    return [one, other]
"""


def checked(source: str, tmp_path: Path) -> str:
    """What mypy says of a file beside the package, in strict mode."""
    (tmp_path / "claims.py").write_text(source)
    root = Path(__file__).parents[1]
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", str(root / "pyproject.toml")]
    done = subprocess.run(
        [*command, str(tmp_path / "claims.py")], cwd=root, capture_output=True, text=True, check=False
    )
    return done.stdout


def test_the_classes_satisfy_the_interfaces(tmp_path: Path) -> None:
    assert "Success" in (said := checked(CLAIMS, tmp_path)), said


def test_a_fake_that_lacks_a_method_is_found(tmp_path: Path) -> None:
    lacking = """
    from ai_widgets.model.interfaces import TokenContext


    class Half:
        limit = 4

        def clear(self) -> None: ...


    def context(one: Half) -> TokenContext:
        return one
    """
    assert 'got "Half", expected "TokenContext"' in checked(textwrap.dedent(lacking), tmp_path)


@pytest.mark.parametrize("module", [interfaces, listening], ids=lambda module: module.__name__)
def test_every_member_of_an_interface_says_what_it_does(module: Any) -> None:
    for name, protocol in vars(module).items():
        if getattr(protocol, "_is_protocol", False) and protocol.__module__ == module.__name__:
            members = [one for one in vars(protocol).items() if not one[0].startswith("_")]
            assert protocol.__doc__, name
            assert all(inspect.getdoc(member) for _, member in members if callable(member) or hasattr(member, "fget"))


def test_the_session_imports_no_class_of_a_model_family() -> None:
    folder = Path(listening.__file__).parent
    source = "\n".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    assert re.findall(r"^from \S*model\S* import .*\b(?:Model|Decoder|Encoder|Context|Qwen2)\b.*$", source, re.M) == []


def test_language_models_have_tokens_and_policies_have_none(toy: Model) -> None:
    fake, _ = scripted(toy)
    assert (toy.language, fake.language) == (toy, fake)
    assert [policy.language for policy in (Energy(), AlwaysSilent())] == [None, None]
