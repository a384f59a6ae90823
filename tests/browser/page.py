"""What a user does in JupyterLab, as functions: open a notebook, run cells, read the kernel, work the widget."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

PANEL = "[...window.jupyterapp.shell.widgets('main')].find(w => w.sessionContext)"
READY = f"""() => {{
  if (!window.jupyterapp) return false;
  const panel = {PANEL};
  return !!panel && panel.sessionContext.isReady
    && panel.sessionContext.session?.kernel?.connectionStatus === 'connected'
    && panel.sessionContext.session.kernel.status === 'idle';
}}"""
KERNEL_SECONDS = 90_000


class Notebook:
    """One open notebook.

    Parameters
    ----------
    page
        A page of a browser that has a fake microphone.
    artifacts
        Folder for screenshots.
    """

    def __init__(self, page: Page, artifacts: Path) -> None:
        self.page, self._artifacts = page, artifacts

    def open(self, url: str, dark: bool = False) -> None:
        self.page.goto(url)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=KERNEL_SECONDS)
        # The kernel indicator says idle before there is a kernel, and cells run then are lost: ask the application.
        self.page.wait_for_function(READY, timeout=KERNEL_SECONDS)
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate(
            "async theme => { await window.jupyterapp.commands.execute('apputils:change-theme', {theme}); }", theme
        )

    def run_cell(self, index: int, wait: bool = True) -> None:
        """Run one cell; with `wait` until it has ended."""
        call = "window.jupyterapp.commands.execute('notebook:run-cell')"
        self.page.evaluate(
            f"async ([index, wait]) => {{ {PANEL}.content.activeCellIndex = index;"
            f" const done = {call}; if (wait) await done; }}",
            [index, wait],
        )

    def run_all(self) -> None:
        """Run All, without waiting."""
        self.command("notebook:run-all-cells")

    def command(self, name: str) -> None:
        self.page.evaluate("name => { window.jupyterapp.commands.execute(name); }", name)

    def restart_kernel(self) -> None:
        self.command("kernelmenu:restart")
        self.page.click(".jp-Dialog button.jp-mod-accept")

    def wait_idle(self) -> None:
        self.page.wait_for_function(READY, timeout=KERNEL_SECONDS)

    def ask(self, expression: str) -> Any:
        """Value of a Python expression in the kernel, by way of JSON; waits until the kernel is free."""
        code = f"import json as _json; print('⟦' + _json.dumps({expression}) + '⟧')"
        text = self.page.evaluate(
            f"""async code => {{
              const kernel = {PANEL}.sessionContext.session.kernel;
              let text = '';
              const future = kernel.requestExecute({{code, store_history: false, silent: false}});
              future.onIOPub = m => {{
                if (m.header.msg_type === 'stream') text += m.content.text;
                if (m.header.msg_type === 'error') text += m.content.traceback.join('\\n');
              }};
              await future.done;
              return text;
            }}""",
            code,
        )
        found = re.search("⟦(.*)⟧", text, re.DOTALL)
        if found is None:
            raise AssertionError(f"The kernel answered {expression!r} with:\n{text}")
        return json.loads(found.group(1))

    def errors(self) -> list[str]:
        """Tracebacks that cells show."""
        return self.page.locator(
            ".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.error']"
        ).all_inner_texts()

    def shot(self, name: str, widget: bool = True) -> Path:
        """Screenshot of the widget, or of the page."""
        path = self._artifacts / f"{name}.png"
        target: Page | Locator = self.widget.first if widget else self.page
        target.screenshot(path=path)
        return path

    @property
    def widget(self) -> Locator:
        return self.page.get_by_test_id("aiw")

    def button(self, name: str) -> Locator:
        """A control by its test id: record, interrupt, reset, file, live."""
        return self.widget.first.get_by_test_id(name)

    def record(self) -> None:
        """Press Record and wait until audio arrives."""
        self.button("record").click()
        expect(self.widget.first).to_have_attribute("data-state", re.compile("listening|speaking"), timeout=20_000)

    def stop(self) -> None:
        self.button("record").click()
        expect(self.widget.first).to_have_attribute("data-state", "stopped", timeout=20_000)

    def choose_file(self, path: Path, pace: str) -> None:
        """Choose an audio file; `pace` is the value of the pace choice."""
        self.widget.first.get_by_test_id("pace").select_option(pace)
        with self.page.expect_file_chooser() as chooser:
            self.button("file").click()
        chooser.value.set_files(path)

    def save(self) -> None:
        """Save the notebook and wait until it is saved."""
        self.page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")

    def wait_for_answer(self, expression: str, value: Any, looks: int = 60) -> None:
        """Ask the kernel until it answers `value`."""
        answer: Any = None
        for _ in range(looks):
            answer = self.ask(expression)
            if answer == value:
                return
            self.page.wait_for_timeout(250)
        raise AssertionError(f"{expression} stayed {answer!r}; expected {value!r}")

    def wait_count(self, what: str, at_least: int, seconds: float = 30) -> None:
        """Wait until the widget shows so many chunks, decisions or turns."""
        self.page.wait_for_function(
            "([what, least]) => Number(document.querySelector('[data-testid=aiw]')?.dataset[what] ?? -1) >= least",
            arg=[what, at_least],
            timeout=seconds * 1000,
        )
