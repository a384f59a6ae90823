"""Parse the command line ``ai-widgets run | replay | demo | convert | …``. Options and JSON lines are stable."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from .. import __version__
from ..errors import AiWidgetsError, printable
from .examples import examples
from .terminal import degrade_output, leave_quietly

BAD_INPUT = 2
"""Exit code for input that cannot be used: that of argparse."""
INTERRUPTED = 130
"""Exit code after Ctrl-C: that of shells, 128 plus the signal's number."""


class _Parser(argparse.ArgumentParser):
    """An option parser whose errors are one sentence, without the list of options that `--help` prints."""

    def error(self, message: str) -> NoReturn:
        sentence = printable(f"{message[:1].upper()}{message[1:].rstrip('.')}")
        self.exit(BAD_INPUT, f"{self.prog}: {sentence}; see {self.prog} --help.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0, 2 for input that cannot be used, or 1 for `replay`."""
    degrade_output()
    # These commands have option parsers of their own; their arguments are passed on unparsed.
    arguments = list(sys.argv[1:] if argv is None else argv)
    passed_on: dict[str, Callable[[list[str]], int]] = {
        "train": _train,
        "evaluate": _evaluate,
        "bench": _bench,
        "doctor": _doctor,
    }
    try:
        if arguments and arguments[0] in passed_on:
            code = passed_on[arguments[0]](arguments[1:])
        else:
            given = _parser().parse_args(arguments)
            code = given.command(given)
        if sys.stdout is not None:
            # A broken pipe must be found here, where it is handled, and not at the exit of the interpreter.
            sys.stdout.flush()
        return code
    except AiWidgetsError as error:
        print(f"ai-widgets: {printable(str(error))}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("ai-widgets: Interrupted.", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader closed the pipe (for instance `| head`), which is no error.
        leave_quietly()
        return 0


def _parser(*, whole: bool = False) -> argparse.ArgumentParser:
    """Create the option parser; `whole`: with the options of the commands that parse their own."""
    # Not at the top: `doctor` must run where a library that these need is missing.
    from ..policies import BY_NAME
    from ..settings import Settings
    from .serve import add_options as add_serve_options
    from .setting_options import add_setting_options

    parser = _Parser(prog="ai-widgets", description="Audio-Interaction on the command line and in JupyterLab.")
    parser.add_argument("--version", action="version", version=f"ai-widgets {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="run audio files through a checkpoint")
    run.add_argument(
        "audio",
        nargs="+",
        help="audio files, folders of them (sequence.json gives the order), or clips of the package (clip:rain)",
    )
    listener = run.add_mutually_exclusive_group()
    listener.add_argument("--checkpoint", default="tiny", help="tiny, a folder or a hub id (default: tiny)")
    listener.add_argument(
        "--policy",
        choices=tuple(BY_NAME),
        help="a baseline in place of the checkpoint: a rule that replies when speech ends, always, or never",
    )
    run.add_argument("--revision", help="commit, tag or branch of a hub checkpoint")
    run.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, mps")
    run.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, float16")
    run.add_argument("--quantize", help="int8 or int4 weights (needs ai_widgets[quant])")
    run.add_argument(
        "--floor",
        choices=("clip", "running"),
        default="clip",
        help="floor of the log-mels: clip measures the whole file before the first decision; running does not",
    )
    run.add_argument("--tail-silence", type=float, default=1.0, help="seconds of silence after each file")
    run.add_argument(
        "--longest",
        type=float,
        metavar="SECONDS",
        help="maximum length of a decoded file (default: six hours); 0 for no limit",
    )
    run.add_argument("--json", metavar="OUT.jsonl", help="write events as JSON lines; - for standard output")
    run.add_argument("--save", metavar="OUT.aiw", help="write the recording, events and audio, to a new file")
    run.add_argument(
        "--no-raw",
        dest="raw",
        action="store_false",
        help="save the audio as the model heard it only, not also as decoded: a smaller file",
    )
    run.add_argument("--html", metavar="OUT.html", help="write a page that shows and plays everything, for any browser")
    run.add_argument("--engine", action="store_true", help="with --html: the page has the model in it, to run it on")
    run.add_argument("--separate", action="store_true", help="hear every file in a session of its own, several at once")
    run.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="hear every file separately on a Ray cluster: HOST:6379, auto for this machine's, local to start one",
    )
    run.add_argument("--parquet", metavar="OUT", help="with --ray: folder for the events, as Parquet")
    run.add_argument("--places", type=int, help="with --separate: sessions in one forward pass (default: by model)")
    run.add_argument("--workers", type=int, help="with --separate: processes (default: by model, cores and files)")
    run.add_argument("--resume", action="store_true", help="with --separate or --ray: go on after a kill")
    add_setting_options(run, Settings, exclusive=("greedy", "temperature"))
    run.set_defaults(command=_run)

    replay = commands.add_parser("replay", help="run a recording again and say whether everything is the same")
    replay.add_argument("recording", metavar="TALK.aiw", help="recording that `run --save` or a record wrote")
    replay.add_argument("--checkpoint", help="tiny, a folder or a hub id (default: the one in the recording)")
    replay.add_argument("--revision", help="commit, tag or branch of a hub checkpoint (default: as recorded)")
    replay.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:0, mps")
    replay.add_argument("--dtype", default="auto", help="auto, float32, bfloat16, float16")
    replay.add_argument("--quantize", help="int8 or int4 weights (needs ai_widgets[quant])")
    replay.add_argument("--tolerance", type=float, help="largest difference of a logit that counts as the same (0.01)")
    replay.set_defaults(command=_replay)

    show = commands.add_parser("show", help="show a recording in the browser")
    show.add_argument("recording", metavar="TALK.aiw", help="recording that run --save or record.save wrote")
    show.add_argument("--title", help="title of the page (default: the recording's name)")
    show.add_argument("--no-browser", action="store_true", help="print the page's path, open no browser")
    show.set_defaults(command=_show)

    page = commands.add_parser("page", help="write a web page with the model in it, for any browser")
    page.add_argument("out", metavar="OUT", help="folder to write, new or empty or an older page; or a file (below)")
    page.add_argument("--checkpoint", default="tiny", help="tiny, a folder or a hub id (default: tiny)")
    page.add_argument("--revision", help="commit, tag or branch of a hub checkpoint")
    page.add_argument("--single-file", action="store_true", help="write one HTML file, which opens without a server")
    page.add_argument("--recording", metavar="TALK.aiw", help="a recording of the checkpoint that the page shows first")
    page.set_defaults(command=_page)

    serve = commands.add_parser("serve", help="serve one model to a class, over WebSockets")
    add_serve_options(serve)
    serve.set_defaults(command=_serve)

    demo = commands.add_parser("demo", help="open a notebook of the package in JupyterLab")
    demo.add_argument("--port", type=int, default=8888, help="port of JupyterLab (default: 8888)")
    demo.add_argument("--no-browser", action="store_true", help="print the address, open no browser")
    demo.add_argument("--notebook", metavar="NAME", help="name of the notebook, such as 01_quickstart (the default)")
    demo.add_argument("--folder", help="folder for the notebook (default: ./ai_widgets_demo)")
    demo.set_defaults(command=_demo)

    convert = commands.add_parser("convert", help="write a checkpoint in transformers' layout and another format")
    convert.add_argument("source", metavar="SRC", help="tiny, a folder or a hub id")
    convert.add_argument("target", metavar="DST", help="a new folder")
    convert.add_argument("--dtype", default="bfloat16", help="bfloat16, float16, float32 (default: bfloat16)")
    convert.add_argument("--revision", help="commit, tag or branch of a hub checkpoint")
    convert.set_defaults(command=_convert)

    passed_on = {
        "train": "train a small checkpoint",
        "evaluate": "measure the replies of a checkpoint or a baseline",
        "bench": "measure speed on this machine",
        "doctor": "say what works on this machine, and what to do where something does not",
    }
    for name, words in passed_on.items():
        # The type of `parents` is that of the parsers here, but any parser may be one.
        parents: list[Any] = [_own_parser(name)] if whole else []
        commands.add_parser(name, help=words, add_help=False, parents=parents)

    completion = commands.add_parser("completion", help="print the script with which a shell completes these commands")
    completion.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="shell that reads the script")
    completion.set_defaults(command=_completion)
    for name, command in commands.choices.items():
        if name not in passed_on:
            command.formatter_class = argparse.RawDescriptionHelpFormatter
            command.epilog = examples(name)
    return parser


def _own_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command that parses its own options."""
    from ..evaluation.command import parser as evaluate
    from ..training.command import parser as train
    from .bench.speed import parser as bench
    from .doctor.command import parser as doctor

    return {"train": train, "evaluate": evaluate, "bench": bench, "doctor": doctor}[name]()


def _completion(given: argparse.Namespace) -> int:
    from .completion import print_completion

    return print_completion(given.shell, _parser(whole=True))


def _show(given: argparse.Namespace) -> int:
    from .show import show_recording

    return show_recording(given)


def _page(given: argparse.Namespace) -> int:
    from .page import write_page

    return write_page(given)


def _run(given: argparse.Namespace) -> int:
    from .run_options import check_options
    from .worker_processes import importing, workers_early

    check_options(given)
    with workers_early(given) as workers:
        with importing():
            from .run import run_files

        return run_files(given, workers)


def _replay(given: argparse.Namespace) -> int:
    from .replay import replay_recording

    return replay_recording(given)


def _convert(given: argparse.Namespace) -> int:
    from ..model.convert import convert

    print(convert(given.source, given.target, given.dtype, given.revision))
    return 0


def _serve(given: argparse.Namespace) -> int:
    from .serve import serve_class

    return serve_class(given)


def _demo(given: argparse.Namespace) -> int:
    from .demo import open_demo

    return open_demo(given.port, browser=not given.no_browser, folder=given.folder, notebook=given.notebook)


def _doctor(arguments: list[str]) -> int:
    from .doctor.command import main as doctor

    return doctor(arguments)


def _train(arguments: list[str]) -> int:
    from ..training.command import main as train

    return train(arguments)


def _evaluate(arguments: list[str]) -> int:
    from ..evaluation.command import main as evaluate

    return evaluate(arguments)


def _bench(arguments: list[str]) -> int:
    if "--soak" in arguments:
        from .bench.soak import main as soak

        return soak([each for each in arguments if each != "--soak"])
    from .bench.speed import main as bench

    return bench(arguments)


if __name__ == "__main__":
    sys.exit(main())
