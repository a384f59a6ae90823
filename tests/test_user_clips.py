"""Training on one's own clips: the data and its mistakes, streams, and a run of seconds on generated sounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
import torch

from ai_widgets import load_model
from ai_widgets.cli.main import main
from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE
from ai_widgets.special_tokens import Emotion
from ai_widgets.training import vocabulary
from ai_widgets.training.compose_turns import EITHER, SETTLED, TurnComposer
from ai_widgets.training.conversations import SpokenReply, UserTurn, read_conversations, replies_of, split
from ai_widgets.training.network import make
from ai_widgets.training.transfer import sizes_of, take_over
from ai_widgets.training.user_clips import ReplyBuilder

SIZES = {"width": 32, "layers": 1, "heads": 2, "kv_heads": 1, "mlp": 32, "tower_width": 32, "tower_layers": 1,
         "tower_heads": 2, "tower_mlp": 32}  # fmt: skip
RECIPE = {"positions": 800, "threads": 1, "save_every_s": 0.2, "log_every_s": 0.2, "sizes": SIZES}
BEEP, BUZZ = SpokenReply("A beep!", Emotion.HAPPY), SpokenReply("Something buzzes.", Emotion.NORMAL)


def write(path: Path, samples: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, samples, SAMPLE_RATE)
    return path


def tone(frequency: float, seconds: float, square: bool = False) -> np.ndarray:
    wave = np.sin(2 * np.pi * frequency * np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE)
    return 0.5 * (np.sign(wave) if square else wave)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three classes, a folder each: beep, buzz and hiss; nothing is to be said about hiss."""
    root = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for number in range(4):
        write(root / "beep" / f"{number}.wav", tone(900 + 60 * number, 0.6))
        write(root / "buzz" / f"{number}.wav", tone(110 + 10 * number, 0.8, square=True))
        write(root / "hiss" / f"{number}.wav", 0.2 * rng.standard_normal(8000))
    replies = {"beep": {"assistant": "A beep!", "emotion": "happy"}, "buzz": "Something buzzes.", "hiss": None}
    (root / "replies.json").write_text(json.dumps(replies))
    return root


def lines(path: Path, *conversations: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps({"conversation": turns}) + "\n" for turns in conversations))
    return path


# Data -----------------------------------------------------------------------------------------------------------------


def test_lines_and_folders_say_the_same(folder: Path) -> None:
    said: list[tuple[str, dict[str, Any]]] = [
        ("beep", {"assistant": "A beep!", "emotion": "happy"}),
        ("buzz", {"assistant": "Something buzzes."}),
        ("hiss", {"assistant": "<no need to response>"}),
    ]
    path = lines(
        folder / "clips.jsonl",
        *([{"audio_path": f"{name}/{n}.wav", **reply}] for name, reply in said for n in range(4)),
    )
    assert read_conversations(path) == read_conversations(folder)
    assert replies_of(read_conversations(folder)) == [BEEP, BUZZ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no turns"),
        ("{", "line 1 is not JSON"),
        ('\n{"conversation": []}', "line 2 must be"),
        ('{"conversation": [{"assistant": "Hi."}]}', 'needs an "audio_path"'),
        ('{"conversation": [{"audio_path": "beep/0.wav"}]}', '"assistant" must be the reply'),
        ('{"conversation": [{"audio_path": "beep/9.wav", "assistant": "Hi."}]}', "does not exist"),
        ('{"conversation": [{"audio_path": "beep/0.wav", "assistant": "Hi.", "emotion": "mad"}]}', "happy, sad, angry"),
        ('{"conversation": [{"audio_path": "beep/0.wav", "assistant": "<no need to response>"}]}', "turn with a reply"),
        ('{"conversation": [{"audio_path": "short.wav", "assistant": "Hi."}]}', "0.05 s long"),
        ('{"conversation": [{"audio_path": "silent.wav", "assistant": "Hi."}]}', "is silent"),
        ('{"conversation": [{"audio_path": "bad.jsonl", "assistant": "Hi."}]}', "cannot be read as audio"),
    ],
)  # fmt: skip
def test_mistakes_in_the_data_are_said_in_a_sentence(
    folder: Path, tmp_path: Path, content: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "short.wav", tone(500, 0.05))
    write(folder / "silent.wav", np.zeros(8000))
    (folder / "bad.jsonl").write_text(content)
    assert main(["train", "--data", str(folder / "bad.jsonl"), "--out", str(tmp_path / "run")]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "{folder}/none.jsonl"], "no file or folder"),
        (["--data", "{folder}", "--speech", "{folder}"], "--speech"),
        (["--data", "{folder}", "--held-out", "{folder}"], "which is trained on"),
        (["--data", "{folder}", "--start", "no-such-folder/x"], "no-such-folder"),
        (["--data", "{folder}", "--config", "{folder}/sizes.json"], "--start none"),
        (["--data", "{folder}", "--config", "{folder}/bias.json"], "must leave it out"),
        (["--data", "{folder}", "--minutes", "0"], "--minutes"),
        (["--data", "{folder}", "--steps", "0"], "--steps"),
        (["--data", "{folder}", "--minutes", "1", "--steps", "9"], "give one of them"),
        (["--data", "{folder}", "--config", "{folder}/endless.json"], "minutes must be above 0"),
        (["--data", "{folder}", "--config", "{folder}/backwards.json"], "steps must be 0"),
        (["--data", "{folder}", "--shards", "-1"], "--shards"),
        (["--data", "{folder}", "--workers", "2"], "--workers is for the embedded checkpoint only"),
        (["--data", "{folder}", "--processes", "2"], "--processes is for the embedded checkpoint only"),
        (["--data", "{folder}", "--composers", "2"], "--composers is for the embedded checkpoint only"),
    ],
)
def test_options_that_do_not_fit_are_said_in_a_sentence(
    folder: Path, tmp_path: Path, options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "sizes.json").write_text(json.dumps({"sizes": SIZES}))
    (folder / "endless.json").write_text(json.dumps({"minutes": -1}))
    (folder / "backwards.json").write_text(json.dumps({"steps": -1}))
    (folder / "bias.json").write_text(json.dumps({"unknown_bias": -1.0}))
    filled = [option.format(folder=folder) for option in options]
    assert main(["train", "--shards", "1", "--streams", "4", *filled, "--out", str(tmp_path / "run")]) == 2
    assert words in capsys.readouterr().err


def test_a_source_is_never_on_both_sides() -> None:
    conversations = [
        (UserTurn(Path(f"{name}-{n}.wav"), reply, f"{name}{n // 2}"),)
        for name, reply in (("beep", BEEP), ("buzz", BUZZ), ("hiss", None))
        for n in range(20)
    ]
    # A conversation of two clips ties their sources together.
    tied = (UserTurn(Path("a.wav"), BEEP, "beep0"), UserTurn(Path("b.wav"), BUZZ, "buzz0"))
    training, validation = split([*conversations, tied])
    sources = [{turn.source for c in part for turn in c} for part in (training, validation)]
    assert not sources[0] & sources[1]
    assert {"beep0", "buzz0"} <= sources[0] or {"beep0", "buzz0"} <= sources[1]
    assert {turn.reply for c in validation for turn in c} == {BEEP, BUZZ, None}
    assert len(training) + len(validation) == 61
    assert split(conversations, 0)[1] == []


# Streams --------------------------------------------------------------------------------------------------------------


def test_the_reply_stands_after_the_clip_and_pauses_teach_nothing(tmp_path: Path) -> None:
    twice = np.concatenate([tone(800, 0.5), np.zeros(int(1.6 * SAMPLE_RATE)), tone(800, 0.5)])
    turn = UserTurn(write(tmp_path / "twice.wav", twice), BEEP, "twice")
    composer = TurnComposer([(turn,)], [BEEP])
    rng = np.random.default_rng(1)
    pieces = [composer._turn(rng, turn, as_file) for as_file in (False, True) * 10]
    for piece in pieces:
        (due,) = np.flatnonzero(piece.reply == 1)
        sounding = np.flatnonzero(piece.kind.reshape(-1))
        gap = (due + 1) * 0.4 - (sounding[-1] + 1) * 0.04
        assert SETTLED - 0.1 <= gap <= SETTLED + 0.45
        assert 2 <= np.count_nonzero(piece.reply == EITHER) <= 4
        assert len(piece.audio) == len(piece.reply) * CHUNK_SAMPLES


def test_streams_are_reproducible_and_complete(folder: Path) -> None:
    conversations = read_conversations(folder)
    composer = TurnComposer(conversations, replies_of(conversations))
    for seed in range(4):  # live streams and sessions of files
        one, two = (composer.stream(np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(one.mels, two.mels)
        assert len(one.mels) == len(one.labels.reply) == len(one.labels.kind) == len(one.labels.word)
        assert set(np.unique(one.labels.reply)) <= {0, 1, 2, EITHER}


def test_wrong_and_open_decisions_are_fed_but_not_learnt() -> None:
    words = vocabulary.build([BEEP.text, BUZZ.text])
    builder = ReplyBuilder(words, [BEEP, BUZZ])
    reply = np.zeros(400, np.uint8)
    reply[::8], reply[1::8] = 1, EITHER
    history = builder.history(reply, np.zeros((400, 10), np.uint8), np.random.default_rng(0), 0.5)
    assert not history.learnt[reply == EITHER].any()
    assert not history.learnt[(reply == 1) & (history.reply == 0)].any()
    assert set(np.unique(history.reply)) <= {0, 1, 2}
    laid = builder.build(history, np.random.default_rng(0))
    assert words.tokenizer.decode(laid.tokens.tolist()).count(BEEP.text) > 20


# The whole ------------------------------------------------------------------------------------------------------------


def train(folder: Path, out: Path, minutes: float, *options: str) -> int:
    recipe = out.parent / "recipe.json"
    recipe.write_text(json.dumps(RECIPE))
    common = ["--data", str(folder), "--out", str(out), "--minutes", str(minutes), "--shards", "1", "--streams", "4"]
    return main(["train", *common, *(options or ("--start", "none", "--config", str(recipe)))])


@pytest.fixture(scope="module")
def trained(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("own") / "run"
    assert train(folder, out, 0.05) == 0
    return out


def test_what_was_trained_answers_on_the_command_line(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint = trained / "checkpoint"
    out = tmp_path / "out.jsonl"
    # So much bias that even this one replies; it does not know when to stop.
    options = [
        "--checkpoint",
        str(checkpoint),
        "--bias",
        "50",
        "--greedy",
        "--max-new-tokens",
        "20",
        "--json",
        str(out),
    ]
    assert main(["run", str(folder / "beep" / "0.wav"), *options]) == 0
    events = [json.loads(line) for line in out.read_text().splitlines()]
    assert any(event["type"] == "turn" for event in events)
    record = json.loads((checkpoint / "training.json").read_text())
    assert record["held_out"]["turns"] == 3
    logged = json.loads((trained / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert {"loss", "recall", "false", "held_out_loss", "held_out_recall", "held_out_false"} <= set(logged)


def test_a_stopped_run_goes_on_and_other_data_are_refused(
    trained: Path, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = torch.load(trained / "run" / "state.pt", weights_only=True)
    assert train(folder, trained, (before["used_s"] + 0.5) / 60) == 0
    assert torch.load(trained / "run" / "state.pt", weights_only=True)["step"] > before["step"]
    other = lines(folder / "other.jsonl", [{"audio_path": "beep/0.wav", "assistant": "Something else."}])
    assert train(other, trained, 0.07) == 2
    assert "other data" in capsys.readouterr().err


def test_training_can_begin_with_a_checkpoint(trained: Path, folder: Path, tmp_path: Path) -> None:
    model = load_model(trained / "checkpoint")
    words = vocabulary.build(["Quite another text."])
    network = make(sizes_of(model), words.size, seed=3)
    take_over(network, words, model)
    theirs, ours = model.decoder.model, network.lm
    torch.testing.assert_close(ours.model.layers[0].mlp.up_proj.weight, theirs.model.layers[0].mlp.up_proj.weight)
    torch.testing.assert_close(
        ours.lm_head.weight[words.ids["KEEP_SILENCE"]],
        theirs.lm_head.weight[model.traits.tokens["KEEP_SILENCE"]],
    )
    # A piece of text that both know keeps its row, and there are some of our own.
    known, new = model.tokenizer.get_vocab(), words.tokenizer.get_vocab()
    torch.testing.assert_close(ours.model.embed_tokens.weight[new["Q"]], theirs.model.embed_tokens.weight[known["Q"]])
    assert new.keys() - known.keys()
    torch.testing.assert_close(network.tower.conv1.weight, model.encoder.tower.conv1.weight)
    out = tmp_path / "begun"
    assert train(folder, out, 0.01, "--start", str(trained / "checkpoint")) == 0
    assert load_model(out / "checkpoint").positions == model.positions
