"""The trainer on generated sounds: labels, sequences, features, export, resume. Nothing real is trained here."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

from ai_widgets import load_model
from ai_widgets.audio.features import StreamingLogMel, log_mel
from ai_widgets.protocol import CHUNK_SAMPLES, SAMPLE_RATE, Decision
from ai_widgets.training import clipcache, corpus, mel_clips, operating_point, pool, replies, sounds, vocabulary
from ai_widgets.training import command as cli
from ai_widgets.training import token_sequences as sequence
from ai_widgets.training.batches import Batch, BatchMaker
from ai_widgets.training.compose_streams import Composer
from ai_widgets.training.corpus import ALARM, AMBIENCE, DOG, SPEECH
from ai_widgets.training.labels import REPLIES, REPLY_OF_KIND, REPLY_SPEECH, Segment, label_chunks
from ai_widgets.training.mels import clip_mels, running_mels
from ai_widgets.training.network import Sizes, make
from ai_widgets.training.trained_context import trained_seconds
from ai_widgets.training.trainer import Trainer
from tests.networks import their_language_model

TINY = {
    "sizes": {"width": 32, "layers": 1, "heads": 2, "kv_heads": 1, "mlp": 32, "tower_width": 32, "tower_layers": 1,
              "tower_heads": 2, "tower_mlp": 32},
    "positions": 800, "threads": 1, "course": None, "averaged": 0.0, "compiled": False,
    "reply_bias": 0.0, "unknown_bias": 0.0, "weights": {"phones": 0.0},
    "save_every_s": 0.2, "log_every_s": 0.2,
}  # fmt: skip


def babble(seed: int, seconds: float) -> np.ndarray:
    """A buzz with syllables, standing in for speech."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    buzz = np.sign(np.sin(2 * np.pi * rng.uniform(90, 220) * time)) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))
    return np.concatenate([np.zeros(3200), buzz, np.zeros(9600)]).astype(np.float32)


@pytest.fixture(scope="module")
def clips() -> list[corpus.Clip]:
    made = [corpus.make_clip(babble(n, 0.5), SPEECH, n, f"word{n}", "speech") for n in (1, 2, 11)]
    made += [corpus.make_clip(babble(90 + n, 1.5), SPEECH, REPLY_SPEECH, f"talk{n}", "speech") for n in range(3)]
    made.append(corpus.make_clip(sounds.rain(np.random.default_rng(0), 2), AMBIENCE, 0, "rain", "rain"))
    assert None not in made
    return [clip for clip in made if clip is not None]


@pytest.fixture(scope="module")
def trained(clips: list[corpus.Clip], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a few seconds through the command."""
    out = tmp_path_factory.mktemp("run")
    clipcache.save(clips, out / "clips" / "train")
    (out / "recipe.json").write_text(json.dumps(TINY))
    assert cli.main(arguments(out, 0.04)) == 0
    return out


@pytest.fixture
def few_generated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a training generate six excerpts of each sound in place of hundreds, which take most of a test's time."""
    monkeypatch.setattr(mel_clips, "shelve", functools.partial(mel_clips.shelve, generated=6))


def arguments(out: Path, minutes: float) -> list[str]:
    return ["--out", str(out), "--config", str(out / "recipe.json"), "--minutes", str(minutes), "--shards", "1",
            "--streams", "4", "--workers", "1"]  # fmt: skip


def test_features_of_whole_streams_equal_the_shared_ones() -> None:
    rng = np.random.default_rng(3)
    levels = np.repeat([0.01, 0.5, 0.0, 0.001, 0.0, 0.3], CHUNK_SAMPLES)
    audio = (rng.standard_normal(len(levels)) * levels).astype(np.float32)
    live = StreamingLogMel()
    expected = np.stack([live.push(chunk) for chunk in audio.reshape(-1, CHUNK_SAMPLES)])
    np.testing.assert_allclose(running_mels(audio), expected, atol=1e-6)
    whole = clip_mels(audio).transpose(1, 0, 2).reshape(128, -1)
    np.testing.assert_array_equal(whole, log_mel(audio))


def seconds(value: float) -> int:
    return round(value * SAMPLE_RATE)


@pytest.mark.parametrize(
    ("pause", "expected"),
    [(0.3, [REPLY_SPEECH]), (0.55, [REPLY_SPEECH]), (1.6, [5, 7])],
)
def test_a_short_pause_does_not_end_an_utterance(pause: float, expected: list[int]) -> None:
    first = Segment(seconds(0.3), seconds(1.0), SPEECH, 5)
    second = Segment(seconds(1.0 + pause), seconds(1.7 + pause), SPEECH, 7)
    labels = label_chunks([first, second], 14)
    chunks = np.flatnonzero(labels.reply)
    assert [int(labels.reply[c]) for c in chunks] == expected
    ends = [second.end] if len(expected) == 1 else [first.end, second.end]
    for chunk, end in zip(chunks, ends, strict=True):
        assert 0.6 <= (chunk + 1) * 0.4 - end / SAMPLE_RATE <= 1.2  # after the end, within three chunks


def test_a_cut_word_is_not_named_and_a_sound_is_named_once() -> None:
    cut = label_chunks([Segment(0, seconds(0.4), SPEECH, 3, whole=False)], 6)
    assert set(cut.reply.tolist()) == {0, REPLY_SPEECH}
    barks = [Segment(seconds(t), seconds(t + 0.3), DOG) for t in (0.2, 1.5, 3.0)]
    again = Segment(seconds(9), seconds(9.5), DOG)
    assert np.count_nonzero(label_chunks(barks, 30).reply == REPLY_OF_KIND[DOG]) == 1
    assert np.count_nonzero(label_chunks([*barks, again], 30).reply == REPLY_OF_KIND[DOG]) == 2
    assert not label_chunks([Segment(0, seconds(5), AMBIENCE)], 12).reply.any()


def test_the_sequence_is_the_documented_one() -> None:
    words = vocabulary.build(replies.all_texts())
    builder = sequence.SequenceBuilder(words)
    reply = np.array([0, 8, 0], np.uint8)
    laid = builder.build(sequence.ideal(reply), np.random.default_rng(0))
    ids = words.ids
    prompt = words.encode(replies.SYSTEM_PROMPT)
    prefix = [ids["ONLINE"], ids["ENGLISH"], ids["TEXT_BEGIN"], ids["TEXT_BEGIN"], *prompt, ids["TEXT_END"]]
    block = [ids["AUDIO_BEGIN"], *[ids["PAD"]] * 10, ids["ASSISTANT"]]
    tokens = laid.tokens.tolist()
    assert tokens[: len(prefix) + 12] == prefix + block
    second = len(prefix) + 12
    assert tokens[second : second + 14] == [ids["KEEP_SILENCE"], *block, ids["TEXT_BEGIN"]]
    assert tokens[second + 14] == words.emotions["NORMAL"]
    end = tokens.index(ids["TEXT_END"], second)
    assert words.tokenizer.decode(tokens[second + 15 : end]) in replies.wordings(8)[1]
    assert tokens[end:] == [ids["TEXT_END"], *block]
    learnt = laid.labels != sequence.IGNORED
    spoken = np.arange(second + 13, end)  # TEXT_BEGIN … the last word: each is followed by the label that it predicts
    assert sorted(np.flatnonzero(learnt)) == sorted({*laid.decisions.tolist(), *spoken.tolist()})
    assert laid.labels[laid.decisions].tolist() == [ids["KEEP_SILENCE"], ids["TEXT_BEGIN"], ids["KEEP_SILENCE"]]
    assert laid.labels[spoken].tolist() == tokens[second + 14 : end + 1]
    assert [tokens[place] for place in laid.pads[1]] == [ids["PAD"]] * 10


def test_wrong_steps_are_fed_but_not_learnt() -> None:
    reply = np.zeros(400, np.uint8)
    reply[::8] = REPLY_SPEECH
    history = sequence.perturbed(reply, np.zeros((400, 10), np.uint8), np.random.default_rng(0), rate=0.5)
    changed = history.reply != reply
    late = np.flatnonzero((reply > 0) & (history.reply == 0))
    assert changed.any()
    assert not history.learnt[late].any()
    assert history.learnt.mean() > 0.8


def test_any_text_can_be_encoded() -> None:
    words = vocabulary.build(replies.all_texts())
    for text in ("You are a helpful assistant.", "Ünï©ode 你好 😊\n\t"):
        assert words.tokenizer.decode(words.encode(text)) == text
    assert len(words.encode(replies.SYSTEM_PROMPT)) < 10
    assert len({*words.ids.values(), *words.emotions.values()}) == 18


def test_every_reply_is_understood() -> None:
    for label in range(1, REPLIES):
        assert {replies.understood(text) for text in replies.wordings(label)[1]} == {label}
    assert replies.wordings(REPLY_OF_KIND[ALARM])[0].value == "urgent"


def test_streams_are_reproducible_and_labelled(clips: list[corpus.Clip]) -> None:
    one, two = (Composer(clips).stream(np.random.default_rng(5), 15) for _ in range(2))
    np.testing.assert_array_equal(one.mels, two.mels)
    assert one.mels.shape[1:] == (128, 40)
    assert len(one.labels.reply) == len(one.mels) == len(one.audio) // CHUNK_SAMPLES


def test_the_export_loads_and_the_session_sees_what_was_trained(trained: Path) -> None:
    folder = trained / "checkpoint"
    model = load_model(folder)
    loaded = model
    assert (trained / "run" / "log.jsonl").is_file()
    lengths = pool.Pool(trained / "pool").chunks
    assert loaded.traits.context_seconds == pytest.approx(trained_seconds(lengths, None, 10_000, attended=30))
    assert 0.4 <= loaded.traits.context_seconds <= max(lengths) * 0.4, "no longer than what was trained"
    assert isinstance(Tokenizer.from_file(str(folder / "tokenizer.json")), Tokenizer)
    rng = np.random.default_rng(1)
    audio = (0.1 * rng.standard_normal(6 * CHUNK_SAMPLES)).astype(np.float32)
    mels = running_mels(audio)
    session = model.session(greedy=True, bias=-50.0)
    decisions = [event for event in session.push(audio) if isinstance(event, Decision)]
    # The same chunks as one training sequence, through the same weights.
    laid = sequence.SequenceBuilder(vocabulary.load(folder / "tokenizer.json")).build(
        sequence.ideal(np.zeros(6, np.uint8)), rng
    )
    frames = loaded.encoder.encode(np.ascontiguousarray(mels.transpose(1, 0, 2)).reshape(128, -1))
    with torch.no_grad():
        language_model = their_language_model(loaded.decoder.model)
        embedded = language_model.model.embed_tokens(torch.from_numpy(laid.tokens)).clone()
        embedded[laid.pads.reshape(-1)] = frames.reshape(60, -1)
        hidden = language_model.model(inputs_embeds=embedded[None], use_cache=False).last_hidden_state[0]
        p = language_model.lm_head(hidden[laid.decisions]).softmax(-1)[:, loaded.traits.tokens["TEXT_BEGIN"]]
    np.testing.assert_allclose([d.p_text for d in decisions], p.numpy(), atol=1e-4)


def test_training_resumes_where_it_stopped(trained: Path) -> None:
    before = torch.load(trained / "run" / "state.pt", weights_only=True)
    # However long the first run took on a busy machine, this one has a little more.
    minutes = before["used_s"] / 60 + 0.02
    assert cli.main(arguments(trained, minutes)) == 0
    after = torch.load(trained / "run" / "state.pt", weights_only=True)
    assert after["step"] > before["step"]
    assert after["used_s"] >= minutes * 60
    assert json.loads((trained / "checkpoint" / "training.json").read_text())["steps"] == after["step"]


@pytest.mark.usefixtures("few_generated")
def test_a_course_of_windows_trains_and_exports_the_average(clips: list[corpus.Clip], tmp_path: Path) -> None:
    clipcache.save(clips, tmp_path / "clips" / "train")
    shape = {"rows": 1, "chunks": 15, "length": 512}
    course = {"window": {"rows": 2, "chunks": 6, "length": 112}, "streams": shape, "long_streams": shape}
    points = {"reply_bias": -1.0, "unknown_bias": -1.0}
    (tmp_path / "recipe.json").write_text(json.dumps({**TINY, "course": course, "averaged": 0.9, **points}))
    assert cli.main(arguments(tmp_path, 0.02)) == 0
    state = torch.load(tmp_path / "run" / "state.pt", weights_only=True)
    name = "lm.model.norm.weight"
    assert not torch.equal(state["average"][name], state["network"][name])
    model = load_model(tmp_path / "checkpoint")
    exported = model.decoder.model.state_dict()
    assert torch.allclose(exported["model.norm.weight"].float(), state["average"][name], atol=1e-3)
    rows = exported["lm_head.weight"].float() - state["average"]["lm.lm_head.weight"]
    moved = (rows.abs().amax(1) > 2e-3).nonzero().flatten().tolist()
    unknown = operating_point.Naming.of(vocabulary.build(replies.all_texts())).unknown
    assert moved == sorted([*unknown, model.traits.tokens["TEXT_BEGIN"]]), "the operating points are the recipe's"


def test_limited_attention_sees_the_prefix_and_the_newest_positions() -> None:
    network = make(Sizes(**TINY["sizes"], block_size=64), 40, 1)
    network.limit_attention(prefix=3, positions=13)
    tokens = torch.randint(3, 40, (1, 60), generator=torch.Generator().manual_seed(1))
    nothing = torch.zeros(0, dtype=torch.long), torch.zeros(0, network.sizes.width)

    def last(changed: int | None) -> torch.Tensor:
        given = tokens.clone()
        if changed is not None:
            given[0, changed] = (given[0, changed] + 1) % 40
        with torch.no_grad():
            return network.hidden(given, *nothing)[0, -1]

    differs = [not torch.equal(last(None), last(place)) for place in range(60)]
    assert differs == [place < 3 or place >= 50 for place in range(60)]


def test_the_budget_counts_processor_time(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 10_000, 7))
    monkeypatch.setattr(time, "process_time", lambda: float(next(seconds)))
    recipe = dataclasses.replace(cli.read_recipe(trained / "recipe.json"), minutes=0.5)
    words = vocabulary.build(replies.all_texts())
    run = Trainer(recipe, pool.Pool(trained / "pool"), words, trained / "timed")
    run.run(quiet=True)
    assert (run.step, run.used_s) == (5, 35)


def test_steps_end_a_training_whatever_the_time(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slower machine trains as much: the rate depends on the steps, too."""
    words = vocabulary.build(replies.all_texts())
    recipe = dataclasses.replace(cli.read_recipe(trained / "recipe.json"), minutes=0.001, steps=4, warmup=0.0)
    rates, weights = [], []
    for name, second in (("fast", 0.01), ("slow", 700.0)):
        seconds = itertools.count(0.0, second)
        monkeypatch.setattr(time, "process_time", lambda seconds=seconds: next(seconds))
        run = Trainer(recipe, pool.Pool(trained / "pool"), words, trained / f"steps-{name}")
        weights.append(run.run(quiet=True).state_dict())
        rates.append([group["lr"] for group in run.optimiser.param_groups])
        assert run.step == 4
    assert rates[0] == rates[1]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_operating_points_move_every_decision_and_every_naming_alike(trained: Path) -> None:
    words = vocabulary.build(replies.all_texts())
    state = torch.load(trained / "run" / "state.pt", weights_only=True)["network"]
    network = make(Sizes(**TINY["sizes"]), words.size, 1)
    network.load_state_dict(state)
    builder = sequence.SequenceBuilder(words)
    maker = BatchMaker(pool.Pool(trained / "pool"), builder, 1200, network.sizes.block_size, 1)
    batches = [maker.draw() for _ in range(30)]
    naming = operating_point.Naming.of(words)
    unknown = list(naming.unknown)

    def logits(batch: Batch) -> torch.Tensor:
        with torch.no_grad():
            _, hidden = network(batch.mels, batch.tokens, batch.at)
            return network.logits(hidden.reshape(-1, hidden.shape[-1]))

    before = [logits(batch) for batch in batches]
    spread, spread_of_names = operating_point.move(network, words, batches, -1.5, -0.8)
    change = torch.cat([logits(batch) - old for batch, old in zip(batches, before, strict=True)])
    ends = np.cumsum([0, *(batch.tokens.numel() for batch in batches)])
    decisions = torch.cat([batch.decisions + int(end) for batch, end in zip(batches, ends, strict=False)])
    tokens, labels = (torch.cat([part(batch).reshape(-1) for batch in batches]) for part in (
        lambda batch: batch.tokens, lambda batch: batch.labels,
    ))  # fmt: skip
    named = torch.isin(tokens, torch.tensor(naming.before)) & (labels >= 0)
    assert named.any()
    assert max(spread, spread_of_names) < 0.3
    begin = words.ids["TEXT_BEGIN"]
    assert change[decisions, begin].mean() == pytest.approx(-1.5, abs=0.1)
    assert change[named][:, unknown].mean() == pytest.approx(-0.8, abs=0.1)
    elsewhere = (labels >= 0) & ~named
    elsewhere[decisions] = False
    assert change[elsewhere][:, unknown].abs().mean() < 0.3
    change[:, [begin, *unknown]] = 0
    assert change.abs().max() == 0


def test_where_a_reply_names_a_word_or_knows_none() -> None:
    words = vocabulary.build(replies.all_texts())
    naming = operating_point.Naming.of(words)
    assert {words.tokenizer.decode([token]).strip() for token in naming.before} == {"said", "heard"}
    unknown = {words.tokenizer.decode([token]).strip() for token in naming.unknown}
    assert unknown == {"you", "speech", "somebody", "something"}


def test_a_run_begins_with_a_checkpoint_of_its_sizes(
    trained: Path, clips: list[corpus.Clip], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clipcache.save(clips, tmp_path / "clips" / "train")
    (tmp_path / "recipe.json").write_text(json.dumps({**TINY, "rate": 0.0}))
    begin = ["--start", str(trained / "checkpoint")]
    assert cli.main([*arguments(tmp_path, 0.005), *begin]) == 0
    parts = [load_model(run / "checkpoint").encoder.tower.state_dict() for run in (trained, tmp_path)]
    assert torch.equal(parts[0]["conv1.weight"], parts[1]["conv1.weight"])
    (tmp_path / "recipe.json").write_text(json.dumps({**TINY, "sizes": {**TINY["sizes"], "width": 64}}))
    assert cli.main([*arguments(tmp_path, 0.005), *begin]) == 2
    assert "sizes do not fit those of" in capsys.readouterr().err


def test_mistakes_are_said_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--out", str(tmp_path)]) == 2
    assert "nothing to train on" in capsys.readouterr().err
    assert cli.main(["--out", str(tmp_path), "--data", str(tmp_path)]) == 2
    assert "manifest.csv" in capsys.readouterr().err
    (tmp_path / "recipe.json").write_text('{"minuts": 3}')
    assert cli.main(["--out", str(tmp_path), "--config", str(tmp_path / "recipe.json")]) == 2
    assert "minuts" in capsys.readouterr().err


def test_an_interrupted_pool_is_completed(clips: list[corpus.Clip], tmp_path: Path) -> None:
    clipcache.save(clips, tmp_path / "clips")
    (tmp_path / "pool").mkdir()
    pool.make_shard(clips, tmp_path / "pool", 0, seed=1, count=2)
    kept = (tmp_path / "pool" / "shard-0000" / "mels.npy").stat().st_mtime_ns
    pool.fill(tmp_path / "clips", tmp_path / "pool", 2, seed=1, workers=1, count=2)
    assert (tmp_path / "pool" / "shard-0000" / "mels.npy").stat().st_mtime_ns == kept
    assert len(pool.Pool(tmp_path / "pool")) == 4
