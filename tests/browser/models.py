"""Cells that make a widget (as a newcomer does, with a model that a test holds or breaks, or that loads long), and the
page's audio context for a test to hold or close."""

from __future__ import annotations

WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(greedy=True)\nw"
"""Greedy: the same decisions in every run."""

STUB = """\
import threading
from dataclasses import replace

import ai_widgets as aiw


class Stub:
    def __init__(self, decoder):
        self.decoder, self.error = decoder, None
        self.free, self.speech = threading.Event(), threading.Event()
        self.free.set()
        self.speech.set()

    def __getattr__(self, name):
        return getattr(self.decoder, name)

    def feed(self, context, tokens, frames=None, frames_at=0):
        self.free.wait()
        if frames is None:
            self.speech.wait()
        if self.error is not None:
            raise self.error
        return self.decoder.feed(context, tokens, frames, frames_at)


tiny = aiw.load_model("tiny")
stub = Stub(tiny.decoder)
w = aiw.AudioInteraction(replace(tiny, decoder=stub), greedy=True)
w"""
"""`stub.free.clear()` holds the model, `stub.speech.clear()` its replies, `stub.error = …` lets it fail."""

LOADING = """\
import threading

import ai_widgets as aiw
from ai_widgets import inference

go, load_model = threading.Event(), inference.load_model


def slow(*given, progress, **more):
    progress(1_000_000_000, 4_000_000_000)
    go.wait()
    inference.load_model = load_model
    return load_model(*given, progress=progress, **more)


inference.load_model = slow
w = aiw.AudioInteraction(greedy=True)
w"""
"""A quarter of the model is loaded until `go.set()`."""

WATCH_CONTEXT = """() => {
  const Context = window.AudioContext;
  window.AudioContext = class extends Context {
    constructor(...given) {
      super(...given);
      window.AudioContext = Context;
      window.aiwContext = this;
    }
  };
}"""
"""Keeps the next audio context, so that a test can do what the system or other code does."""
