"""A widget that can send on its comm from any thread, and whose traits the browser cannot change.

ipykernel 7 handles comm messages on a subshell, so that they arrive while a cell runs. But a comm stores the shell that
sent last and routes the browser's next messages there: a send from the main thread or a worker would route audio to the
main shell, where it is blocked until the running cell ends. So every send runs in the context of the browser's last
message, and the stored shell is deleted after the send.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Callable, Mapping
from threading import RLock
from typing import Any

import anywidget


class ShellSafeWidget(anywidget.AnyWidget):  # type: ignore[misc]
    """An anywidget that may send from any thread. Subclasses call `_remember_context` in their message handler."""

    _kernel_owned: tuple[str, ...] = ()
    """Synced traits that the browser may read but not change."""

    def __init__(self, **options: Any) -> None:
        # ipywidgets opens the comm, and so sends, in its own constructor.
        self._send_lock = getattr(self, "_send_lock", None) or RLock()
        self._message_context: contextvars.Context | None = None
        super().__init__(**options)
        # ipywidgets creates a second widget for the layout, and keeps that widget alive until it is closed.
        self._own_layout = self.layout

    def close(self) -> None:
        """Remove the widget from its pages, and from the registries of ipywidgets, which hold it strongly."""
        super().close()
        # ipywidgets shadows this method on a closed widget, which must still display the recorded session.
        self.__dict__.pop("_repr_mimebundle_", None)
        # The context would keep the last message and its audio buffers alive.
        self._message_context = None
        layout = self.__dict__.pop("_own_layout", None)
        if layout is not None:
            layout.close()

    def __del__(self, ending: Callable[[], bool] = sys.is_finalizing) -> None:
        """Close the widget, except while the interpreter ends: modules are being cleared then, and no thread runs."""
        if not ending():
            super().__del__()

    def _remember_context(self) -> None:
        """Store the context of the message that is being handled, in which later sends run."""
        self._message_context = contextvars.copy_context()

    def _send(self, msg: Any, buffers: Any = None) -> None:
        send = super()._send
        with self._send_lock:
            context = self._message_context
            if context is None:
                send(msg, buffers=buffers)
            else:
                context.copy().run(send, msg, buffers=buffers)
            self._forget_shell()

    def open(self) -> None:
        """Open the comm (called by ipywidgets)."""
        super().open()
        self._forget_shell()

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Apply a page's changes of traits, except traits of the kernel: their current values are sent back."""
        refused = [name for name in sync_data if name in self._kernel_owned]
        super().set_state({name: value for name, value in sync_data.items() if name not in refused})
        if refused:
            self.send_state(refused)

    def _forget_shell(self) -> None:
        comm: Any = self.comm
        if comm is not None:
            vars(comm).pop("_reply_subshell_id", None)
