"""`Finding`, one line of the doctor, and `Surroundings`: what the checks look at, replaceable in tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ...widget.front_end import STATIC

if TYPE_CHECKING:
    from ...model.machine import Machine

Level = Literal["ok", "note", "fault"]
"""`ok`: nothing to do. `note`: works, with a limit that the advice removes. `fault`: what was asked for cannot work."""
NVIDIA_DRIVER = Path("/proc/driver/nvidia/version")
"""File that the NVIDIA driver makes on Linux, also in a container without its tools."""


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    name
        What was looked at, in one word.
    level
        How it is; see `Level`.
    found
        What was found, as a phrase without a full stop.
    advice
        What to do, as a sentence; empty only with the level `ok`.
    """

    name: str
    level: Level
    found: str
    advice: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Asked:
    """What a person wants to use: options of the command.

    Attributes
    ----------
    checkpoint, device, dtype, quantize
        As in `load_model`.
    url
        Address under which the notebook is opened in the browser; empty if not given.
    """

    checkpoint: str = "tiny"
    device: str = "auto"
    dtype: str = "auto"
    quantize: str | None = None
    url: str = ""

    @property
    def of_hub(self) -> bool:
        """Whether the checkpoint is one of the hub, and not embedded or a folder."""
        return self.checkpoint != "tiny" and not Path(self.checkpoint).expanduser().is_dir()


def installed_version(package: str) -> str | None:
    """Return the installed version of a distribution, None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def requirements() -> list[str]:
    """List the declared dependencies of this package, extras included."""
    return metadata.requires("ai_widgets") or []


def nvidia_present() -> bool:
    """Return whether this machine has an NVIDIA driver."""
    return shutil.which("nvidia-smi") is not None or NVIDIA_DRIVER.exists()


def look() -> Machine:
    """Query the devices; imports torch."""
    from ...model.machine import look

    return look()


def running_servers() -> list[dict[str, Any]]:
    """List the Jupyter servers of this user that run, as jupyter_server describes them."""
    try:
        from jupyter_server.serverapp import list_running_servers
    except ImportError:
        return []
    return list(list_running_servers())


def free_disk(folder: Path) -> int:
    """Return the free bytes of the disk that holds an existing folder."""
    return shutil.disk_usage(folder).free


@dataclass(frozen=True)
class Surroundings:
    """What the checks look at. The defaults are this process and this machine."""

    asked: Asked = field(default_factory=Asked)
    static: Path = STATIC
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    version: Callable[[str], str | None] = installed_version
    requirements: Callable[[], list[str]] = requirements
    machine: Callable[[], Machine] = look
    free_disk: Callable[[Path], int] = free_disk
    nvidia: Callable[[], bool] = nvidia_present
    servers: Callable[[], list[dict[str, Any]]] = running_servers
