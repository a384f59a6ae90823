"""`make audit`: known vulnerabilities of what this project depends on, in Python and in the front end.

Exit code 0: none is known, or the advisory services cannot be reached (then it says so: nothing was audited). 1: some
are known; each is listed with the versions that cure it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / ".venv" / "audit"
SECONDS = 300


def main() -> int:
    """Audit both sides and say what was found."""
    found = [*python_side(), *front_end()]
    for line in found:
        print(line)
    if found:
        print(
            f"{len(found)} advisories. Raise the version here (constraints.txt, js/package-lock.json), or where no cure"
        )
        print("is out yet, say in SECURITY.md why it does not concern this project.")
    return 1 if found else 0


def python_side() -> list[str]:
    """Advisories of the installed Python packages. The tool has an environment of its own, so that it adds none."""
    tool = TOOLS / "bin" / "pip-audit"
    if not tool.exists():
        subprocess.run([sys.executable, "-m", "venv", str(TOOLS)], check=True)
        installed = run(str(TOOLS / "bin" / "python"), "-m", "pip", "install", "--quiet", "pip-audit>=2.7")
        if installed is None or installed.returncode:
            return unaudited("Python", "pip-audit cannot be installed")
    packages = next(path for path in sys.path if path.endswith("site-packages"))
    done = run(str(tool), "--path", packages, "--skip-editable", "--progress-spinner", "off", "--format", "json")
    report = parsed(done)
    if "dependencies" not in report:
        return unaudited("Python", last_line(done))
    lines = []
    for package in report["dependencies"]:
        for each in package.get("vulns", []):
            cure = ", ".join(each.get("fix_versions", [])) or "none yet"
            lines.append(f"Python: {package['name']} {package['version']}: {each['id']}; cured in: {cure}")
    print(f"Python: {len(report['dependencies'])} packages audited.")
    return lines


def front_end() -> list[str]:
    """Advisories of the front end's packages, those that only build and test it included."""
    done = run("npm", "audit", "--json", cwd=ROOT / "js")
    report = parsed(done)
    if "vulnerabilities" not in report:
        return unaudited("Front end", report.get("message") or last_line(done))
    print("Front end: audited.")
    lines = []
    for name, each in report["vulnerabilities"].items():
        cure = "an upgrade" if each.get("fixAvailable") else "nothing yet"
        lines.append(f"Front end: {name} ({each['severity']}); cured by {cure}")
    return lines


def unaudited(side: str, why: str) -> list[str]:
    """Say that a side could not be audited; that is no advisory."""
    print(f"{side}: NOT AUDITED, the advisory service or its tool cannot be reached ({why}).")
    return []


def run(*command: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str] | None:
    """Run a tool; None where it is missing or never ends."""
    try:
        return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None


def parsed(done: subprocess.CompletedProcess[str] | None) -> dict[str, Any]:
    """What a tool printed as JSON; empty where it printed something else."""
    try:
        report = json.loads(done.stdout) if done is not None else {}
    except json.JSONDecodeError:
        return {}
    return report if isinstance(report, dict) else {}


def last_line(done: subprocess.CompletedProcess[str] | None) -> str:
    """Why a tool gave up."""
    lines = (done.stderr if done is not None else "").strip().splitlines()
    return lines[-1][:200] if lines else "no answer"


if __name__ == "__main__":
    sys.exit(main())
