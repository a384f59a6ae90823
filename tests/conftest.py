"""Fixtures that all tests share: the rigged checkpoints, written once a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import comm
import pytest
import torch
from hypothesis import HealthCheck, settings

from ai_widgets.inference import Model, load_model
from ai_widgets.widget.app import AudioInteraction
from tests.encoded_sounds import encoded
from tests.held_files import HeldFile, Hold
from tests.page import RULES, Build, Comm, Page
from tests.recorded_pages import heard, left_over, talk
from tests.reference_checkpoint import REFERENCE, TOY, write_checkpoint
from tests.running import run, wav
from tests.stub_hub import hub, published

if TYPE_CHECKING:
    from tests.class_server import Class

__all__ = ["encoded", "heard", "hub", "left_over", "published", "run", "talk", "wav"]

# The same examples in every run, and no deadline: a busy machine is no failure.
settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("hunt", settings.get_profile("suite"), derandomize=False, max_examples=1000)
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """The models here are tiny: a second thread costs more than it saves."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder of 288 tokens. Read only: tests that damage one write their own."""
    return write_checkpoint(tmp_path_factory.mktemp("toy"), TOY)


@pytest.fixture(scope="session")
def toy(toy_folder: Path) -> Model:
    return load_model(toy_folder, "cpu")


@pytest.fixture(scope="session")
def reference_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of the reference vectors, in the layout and with the ids of the published release."""
    return write_checkpoint(tmp_path_factory.mktemp("reference"), REFERENCE)


@pytest.fixture(scope="session")
def reference(reference_folder: Path) -> Model:
    return load_model(reference_folder, "cpu")


@pytest.fixture
def build(toy: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """Make a widget on the toy (or on another model) and a page that shows it."""
    monkeypatch.setattr(comm, "create_comm", Comm)
    pages: list[Page] = []

    def make(model: Any = toy, **settings: Any) -> Page:
        page = Page(AudioInteraction(model, **{**RULES, **settings}))
        pages.append(page)
        page.until(lambda: bool(page.of("model")))
        return page

    yield make
    for page in pages:
        page.widget.close()


@pytest.fixture
def page(build: Build) -> Page:
    page = build()
    page.hello()
    return page


@pytest.fixture
def hold() -> Iterator[Hold]:
    """Give a page a file."""
    held: list[HeldFile] = []

    def make(page: Page, data: bytes, name: str = "talk.wav", **options: Any) -> HeldFile:
        held.append(HeldFile(page, data, name, **options))
        return held[-1]

    yield make
    for each in held:
        each.close()


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Any:
    """Server that a class is behind: `class_server.KINDS` has the names."""
    from tests.class_server import KINDS

    return KINDS[getattr(request, "param", "websockets")]


@pytest.fixture
def served(toy: Model, kind: Any) -> Iterator[Class]:
    """A class server with four learners and three places."""
    # Not at the top: other tests need no server.
    from tests.class_server import class_of

    with class_of(toy, 4, places=3, kind=kind) as running:
        yield running
