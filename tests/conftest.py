"""Fixtures that all tests share: the rigged checkpoints, written once a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from ai_widgets.inference import Model, load_model
from ai_widgets.model.checkpoint import LoadedModel
from tests.reference_checkpoint import REFERENCE, TOY, write_checkpoint

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
def toy_loaded(toy: Model) -> LoadedModel:
    return toy.loaded


@pytest.fixture(scope="session")
def reference_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of the reference vectors, in the layout and with the ids of the published release."""
    return write_checkpoint(tmp_path_factory.mktemp("reference"), REFERENCE)


@pytest.fixture(scope="session")
def reference(reference_folder: Path) -> Model:
    return load_model(reference_folder, "cpu")
