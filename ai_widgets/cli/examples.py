"""Examples of each command, shown at the end of its ``--help``."""

from __future__ import annotations

from collections.abc import Mapping

EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "run": (
        ("run talk.wav", "print the replies"),
        ("run clip:digit --greedy", "a clip of the package, without random draws"),
        ("run recordings/ --json out.jsonl --save talk.aiw", "all files of a folder; keep events and audio"),
        ("run clips/ --separate --json out.jsonl --resume", "each file in a session of its own; goes on after a kill"),
        ("run clips/ --ray auto --parquet events/ --resume", "the same on a Ray cluster, events as Parquet"),
        ("run talk.wav --html talk.html --engine", "a page to hand out, which runs on offline"),
        ("run hour.mp3 --floor running", "decide from the first chunk on"),
        ("run talk.wav --policy energy", "a baseline in place of the checkpoint"),
        ("run talk.wav --checkpoint zhifeixie/AudioInteraction --device cuda", "the published model"),
    ),
    "replay": (
        ("replay talk.aiw", "is every decision, token and reply the same?"),
        ("replay talk.aiw --device cuda --tolerance 0.5", "on other hardware"),
    ),
    "show": (
        ("show talk.aiw", "open the recording in the browser"),
        ("show talk.aiw --no-browser --title 'Tuesday'", "only write the page"),
    ),
    "page": (
        ("page site/", "a folder for any web server"),
        ("page --single-file listen.html", "one file, which opens without a server"),
        ("page --single-file talk.html --recording talk.aiw", "a talk, with the model to go on"),
        ("page site/ --checkpoint RUN/checkpoint", "with a checkpoint of your own"),
    ),
    "serve": (
        ("serve", "the embedded model for 30 learners on this machine; prints their tokens"),
        ("serve --places 12 --token-file tokens.txt", "tokens in a file, which the next start reads"),
        ("serve --checkpoint zhifeixie/AudioInteraction --device cuda", "the published model"),
        ("serve --ray local --replicas 1:4", "replicas on a Ray cluster, here on this machine"),
        ("serve --host 10.0.0.5 --port 8765", "for a proxy with TLS on another machine"),
    ),
    "demo": (
        ("demo", "the quick start, in ./ai_widgets_demo"),
        ("demo --notebook 01_quickstart --port 8890", "a notebook by name"),
        ("demo --no-browser", "print the address, for a tunnel"),
    ),
    "convert": (
        ("convert tiny converted/", "in transformers' layout, bfloat16"),
        ("convert zhifeixie/AudioInteraction half/ --dtype float16", "the published model"),
    ),
    "bench": (
        ("bench", "speed of the embedded checkpoint"),
        ("bench --checkpoint RUN/checkpoint --device cuda --json", "another one, as JSON"),
    ),
    "doctor": (
        ("doctor", "what works here"),
        ("doctor --checkpoint zhifeixie/AudioInteraction --device cuda", "could the published model run?"),
        ("doctor --url http://lab.example.org:8888/lab", "would the browser give the microphone?"),
    ),
    "completion": (
        ("completion bash >> ~/.bashrc", "for bash"),
        ("completion zsh > ~/.zfunc/_ai-widgets", "for zsh, with ~/.zfunc in fpath"),
    ),
}
"""Command lines without the program's name, and what each does. `train` and `evaluate` have theirs in their modules."""


def examples(command: str) -> str:
    """Format the examples of a command."""
    width = max(len(line) for line, _ in EXAMPLES[command])
    lines = [f"  ai-widgets {line:<{width}}  # {what}" for line, what in EXAMPLES[command]]
    return "\n".join(["examples:", *lines])
