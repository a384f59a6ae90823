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
PATIENCE_MS = 60_000
"""How long anything may take on a machine that has other work. Nothing waits so long that works."""

NOTICES = "w.record.notices.query('kind != \"gap\"')['kind'].tolist()"
"""Kinds of notices, but for sound that a laden machine was too busy to record."""

SURROUNDINGS_PX = 300
"""What JupyterLab and the cell's code take of the window's height."""

expect.set_options(timeout=PATIENCE_MS)


class Notebook:
    """One open notebook.

    Parameters
    ----------
    page
        A page of a browser that has a fake microphone.
    artifacts
        Folder for screenshots.
    name
        Its file.
    """

    def __init__(self, page: Page, artifacts: Path, name: str) -> None:
        self.page, self.artifacts, self.name = page, artifacts, name
        page.set_default_timeout(PATIENCE_MS)

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.wait_open()

    def wait_open(self) -> None:
        """Wait until the notebook is shown and its kernel can take cells."""
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        # The kernel indicator says idle before there is a kernel, and cells run then are lost: ask the application.
        self.wait_idle()

    def begin(self, cells: list[str]) -> None:
        """Use the notebook anew: other cells, and no widget left of the last ones."""
        self.ask("__import__('ipywidgets').Widget.close_all()")
        self.page.evaluate(
            f"""cells => {{
              const notebook = {PANEL}.content.model.sharedModel;
              notebook.transact(() => {{
                notebook.deleteCellRange(0, notebook.cells.length);
                notebook.insertCells(0, cells.map(source => ({{cell_type: 'code', source}})));
              }});
              window.aiwTracks = [];
            }}""",
            cells,
        )
        self.page.mouse.move(0, 0)
        expect(self.widget).to_have_count(0)

    def look(self, width: int = 1280, height: int = 900, *, dark: bool = False, forced: bool = False) -> None:
        """Size of the window, JupyterLab's theme, and whether the system forces high contrast."""
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(
            color_scheme="dark" if dark else "light",
            forced_colors="active" if forced else "none",
            reduced_motion="no-preference",
        )
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate(
            "async theme => { await window.jupyterapp.commands.execute('apputils:change-theme', {theme}); }", theme
        )
        self.page.wait_for_function(
            "light => document.body.dataset.jpThemeLight === light", arg="false" if dark else "true"
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
        self.page.wait_for_function(READY)

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
        """Screenshot of the whole widget, however high it is, or of the page as it stands."""
        path = self.artifacts / f"{name}.png"
        if not widget:
            self.page.screenshot(path=path)
            return path
        size = self.page.viewport_size
        height = self.widget.first.evaluate("element => element.offsetHeight")
        if size is not None and height + SURROUNDINGS_PX > size["height"]:
            self.page.set_viewport_size({"width": size["width"], "height": height + SURROUNDINGS_PX})
        self.widget.first.scroll_into_view_if_needed()
        self.widget.first.screenshot(path=path)
        if size is not None:
            self.page.set_viewport_size(size)
        return path

    @property
    def widget(self) -> Locator:
        return self.page.get_by_test_id("aiw")

    def button(self, name: str) -> Locator:
        """A control by its test id: record, interrupt, reset, file, follow."""
        return self.widget.first.get_by_test_id(name)

    def problem(self, code: str) -> Locator:
        """What the widget shows of a problem."""
        return self.widget.first.locator(f"[data-testid=problem][data-code={code}]")

    def expect_problem(self, code: str, words: str) -> None:
        """Wait until a problem is shown, in a sentence with a way out that matches `words`."""
        expect(self.problem(code)).to_contain_text(re.compile(words, re.IGNORECASE | re.DOTALL))

    def setting(self, name: str) -> Locator:
        """A setting's control; the settings are opened if they are not."""
        if self.button("settings-toggle").get_attribute("aria-expanded") == "false":
            self.button("settings-toggle").click()
        return self.widget.first.get_by_test_id(f"field-{name}").locator("input, select, textarea").first

    def comms_over_subshells(self, used: bool) -> None:
        """Whether widgets speak with the kernel while a cell runs (JupyterLab's setting, for this notebook)."""
        value = "perCommTarget" if used else "disabled"
        self.page.evaluate(f"value => {{ {PANEL}.sessionContext.session.kernel.commsOverSubshells = value; }}", value)

    def record(self) -> None:
        """Press Record and wait until audio arrives."""
        self.button("record").click()
        expect(self.widget.first).to_have_attribute("data-state", re.compile("listening|speaking"))

    def stop(self) -> None:
        self.button("record").click()
        expect(self.widget.first).to_have_attribute("data-state", "stopped")

    def choose_file(self, path: Path, pace: str) -> None:
        """Choose an audio file; `pace` is the value of the pace choice."""
        self.widget.first.get_by_test_id("pace").select_option(pace)
        with self.page.expect_file_chooser() as chooser:
            self.button("file").click()
        chooser.value.set_files(path)

    def save(self) -> None:
        """Save the notebook and wait until it is saved."""
        self.page.evaluate("async () => { await window.jupyterapp.commands.execute('docmanager:save'); }")

    def wait_for_answer(self, expression: str, value: Any, looks: int = 240) -> None:
        """Ask the kernel until it answers `value`."""
        answer: Any = None
        for _ in range(looks):
            answer = self.ask(expression)
            if answer == value:
                return
            self.page.wait_for_timeout(250)
        raise AssertionError(f"{expression} stayed {answer!r}; expected {value!r}")

    def wait_count(self, what: str, at_least: int, seconds: float = PATIENCE_MS / 1000) -> None:
        """Wait until the widget shows a number of chunks, decisions or turns."""
        self.page.wait_for_function(
            "([what, least]) => Number(document.querySelector('[data-testid=aiw]')?.dataset[what] ?? -1) >= least",
            arg=[what, at_least],
            timeout=seconds * 1000,
        )
