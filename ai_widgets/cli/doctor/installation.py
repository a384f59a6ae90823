"""Checks of the installation: Python, the libraries and their versions, the built front end."""

from __future__ import annotations

import importlib
import platform
from collections.abc import Iterator

from packaging.requirements import Requirement

from ... import __version__
from .finding import Finding, Surroundings

NATIVE = {
    "numpy": "numpy",
    "soundfile": "soundfile",
    "soxr": "soxr",
    "av": "av",
    "tokenizers": "tokenizers",
    "msgspec": "msgspec",
    "pyyaml": "yaml",
}
"""Import names of libraries with compiled parts, by distribution: those that break where a system library is absent.
torch has a check of its own."""
BUILT = ("widget.js", "page_widget.js", "widget.css", "answer.js", "answer.css")
"""Files of the widgets' front end that the build writes."""


def python(_: Surroundings) -> Iterator[Finding]:
    """State the versions of this package, of Python and of the system."""
    yield Finding("ai_widgets", "ok", __version__)
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def libraries(around: Surroundings) -> Iterator[Finding]:
    """Compare the installed versions with those that this package declares."""
    declared = [Requirement(text) for text in around.requirements()]
    needed = [each for each in declared if each.marker is None or each.marker.evaluate({"extra": ""})]
    well = []
    for one in needed:
        there = around.version(one.name)
        wanted = f"{one.name}{one.specifier}"
        if there is None:
            yield Finding(one.name, "fault", f"not installed; {wanted} is needed", _install(wanted))
        elif not one.specifier.contains(there, prereleases=True):
            yield Finding(one.name, "fault", f"{there} is installed; {wanted} is needed", _install(wanted))
        else:
            well.append(f"{one.name} {there}")
    yield Finding("libraries", "ok", ", ".join(well))


def native(around: Surroundings) -> Iterator[Finding]:
    """Import the libraries with compiled parts, which need libraries of the system."""
    for package, module in NATIVE.items():
        if around.version(package) is None:
            continue
        try:
            importlib.import_module(module)
        except (ImportError, OSError) as error:
            advice = f"Install it anew: pip install --force-reinstall {package}."
            yield Finding(package, "fault", f"cannot be imported ({error})", advice)


def bundle(around: Surroundings) -> Iterator[Finding]:
    """Look for the built front end of the widget."""
    absent = [name for name in BUILT if not _filled(around, name)]
    if absent:
        advice = "In a clone run `make setup`; otherwise reinstall: pip install --force-reinstall --no-deps ai_widgets."
        yield Finding("bundle", "fault", f"{' and '.join(absent)} of the widget is missing or empty", advice)
        return
    size = sum((around.static / name).stat().st_size for name in BUILT)
    yield Finding("bundle", "ok", f"the widget's front end is built ({size / 1e3:.0f} kB)")


def _filled(around: Surroundings, name: str) -> bool:
    path = around.static / name
    return path.is_file() and path.stat().st_size > 0


def _install(wanted: str) -> str:
    return f"Install it: pip install --upgrade '{wanted}'; then restart the kernel and reload the page."
