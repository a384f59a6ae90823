"""What a training on a GPU needs: batches composed in processes, streams renewed, layers added, batches moved."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ai_widgets import load_model
from ai_widgets.training import clipcache, command, corpus, mel_clips, replies, transfer, vocabulary
from ai_widgets.training.compose_streams import Composer
from ai_widgets.training.curriculum import Course, Curriculum, Shape
from ai_widgets.training.network import Sizes, make
from ai_widgets.training.objective import Weights, loss
from ai_widgets.training.pool import Pool
from ai_widgets.training.token_sequences import SequenceBuilder
from ai_widgets.training.vocabulary import Vocabulary
from tests.test_training import TINY, arguments, clips, few_generated, trained  # noqa: F401 - fixtures

SHAPES = {"window": {"rows": 3, "chunks": 6, "length": 128}, "streams": {"rows": 2, "chunks": 8, "length": 240},
          "long_streams": {"rows": 1, "chunks": 12, "length": 360}}  # fmt: skip


@pytest.fixture(scope="module")
def words() -> Vocabulary:
    return vocabulary.build(replies.all_texts())


def curriculum(trained: Path, clips: list[corpus.Clip], words: Vocabulary, **given: float) -> Curriculum:  # noqa: F811
    course = Course.of({**SHAPES, **given})
    shelf = mel_clips.shelve(clips, {}, 1, generated=6, quiet=True)
    return Curriculum(course, shelf, Pool(trained / "pool"), SequenceBuilder(words), 1, 0.1, composer=Composer(clips))


@pytest.mark.usefixtures("few_generated")
def test_processes_compose_what_a_training_hears(trained: Path, clips: list[corpus.Clip], tmp_path: Path) -> None:  # noqa: F811
    clipcache.save(clips, tmp_path / "clips" / "train")
    (tmp_path / "pool").symlink_to(trained / "pool")
    recipe = {**TINY, "course": {**SHAPES, "renewed": 0.5}}
    (tmp_path / "recipe.json").write_text(json.dumps(recipe), encoding="utf-8")
    assert command.main([*arguments(tmp_path, 0.02), "--composers", "2"]) == 0
    record = json.loads((tmp_path / "checkpoint" / "training.json").read_text(encoding="utf-8"))
    assert record["device"] == "cpu"
    assert record["steps"] > 0
    assert load_model(tmp_path / "checkpoint").session(greedy=True).push(np.zeros(6400, np.float32), rate=16000)


def test_the_number_of_composers_is_bounded(
    trained: Path,  # noqa: F811
    clips: list[corpus.Clip],  # noqa: F811
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clipcache.save(clips, tmp_path / "clips" / "train")
    (tmp_path / "pool").symlink_to(trained / "pool")
    (tmp_path / "recipe.json").write_text(json.dumps({**TINY, "course": SHAPES}), encoding="utf-8")
    assert command.main([*arguments(tmp_path, 0.02), "--composers", "65"]) == 2
    assert "--composers must be from 0 to 64, not 65" in capsys.readouterr().err


def test_a_device_that_is_not_there_is_said(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    assert command.main([*arguments(trained, 0.02), "--device", "tpu0"]) == 2
    assert "--device tpu0 cannot be used here" in capsys.readouterr().err


def test_several_processes_share_a_cpu_only(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    assert command.main([*arguments(trained, 0.02), "--device", "meta", "--processes", "2"]) == 2
    assert "--processes is for a CPU" in capsys.readouterr().err


def test_a_shelf_is_the_same_from_several_processes(clips: list[corpus.Clip]) -> None:  # noqa: F811
    one, two = (mel_clips.shelve(clips, {}, 1, generated=6, quiet=True, processes=n) for n in (1, 2))
    assert one.generated == two.generated
    assert list(one.sounds) == list(two.sounds)
    for ours, theirs in zip(one.distractors, two.distractors, strict=True):
        np.testing.assert_array_equal(ours.power, theirs.power)
    for word, sources in one.words.items():
        for source, excerpts in sources.items():
            for ours, theirs in zip(excerpts, two.words[word][source], strict=True):
                np.testing.assert_array_equal(ours.power, theirs.power)


def test_streams_are_renewed_in_memory_only(
    trained: Path,  # noqa: F811
    clips: list[corpus.Clip],  # noqa: F811
    words: Vocabulary,
) -> None:
    source = curriculum(trained, clips, words, windows_first=0.0, windows_last=0.0, long_share=0.0, renewed=1.0)
    before = [stream.mels for stream in source.streams.pool.streams]
    shape = dataclasses.replace(source.course.streams, chunks=int(source.streams.pool.chunks.min()), length=1920)
    source.course = dataclasses.replace(source.course, streams=shape)
    source.draw(0.0)
    pool = source.streams.pool
    changed = [place for place, mels in enumerate(before) if pool.streams[place].mels is not mels]
    assert changed
    assert all(len(pool.streams[place].mels) == pool.chunks[place] >= shape.chunks for place in changed)
    assert [len(mels) for mels in before] == Pool(trained / "pool").chunks.tolist()


def test_a_course_renews_only_with_a_composer(trained: Path, clips: list[corpus.Clip], words: Vocabulary) -> None:  # noqa: F811
    shelf = mel_clips.shelve(clips, {}, 1, generated=6, quiet=True)
    with pytest.raises(ValueError, match="needs a composer"):
        Curriculum(Course(renewed=0.5), shelf, Pool(trained / "pool"), SequenceBuilder(words), 1, 0.1)


def test_added_layers_begin_as_the_identity(trained: Path, words: Vocabulary) -> None:  # noqa: F811
    model = transfer.open_start(trained / "checkpoint")
    start = transfer.sizes_of(model)
    deeper = dataclasses.replace(start, layers=start.layers + 2, tower_layers=start.tower_layers + 1)
    networks = [make(sizes, words.size, seed) for seed, sizes in enumerate((start, deeper))]
    for network in networks:
        transfer.take_over(network.eval(), words, model)
    mels = torch.randn(3, 128, 40)
    tokens = torch.randint(0, words.tokenizer.get_vocab_size(), (1, 60))
    at = torch.arange(5, 35)
    with torch.no_grad():
        shallow, deep = (network(mels, tokens, at)[1] for network in networks)
    torch.testing.assert_close(deep, shallow)


@pytest.mark.parametrize(
    ("change", "fit"),
    [({}, True), ({"layers": 9}, True), ({"tower_layers": 9}, True), ({"layers": 7}, False), ({"mlp": 640}, False)],
)
def test_only_layers_can_be_added(change: dict[str, int], fit: bool) -> None:
    assert transfer.fits(dataclasses.replace(Sizes(), **change), Sizes()) is fit


def test_a_batch_on_a_device_has_the_same_loss(trained: Path, clips: list[corpus.Clip], words: Vocabulary) -> None:  # noqa: F811
    source = curriculum(trained, clips, words)
    sizes = Sizes(**TINY["sizes"])
    network, keep = make(sizes, words.size, 0), words.ids["KEEP_SILENCE"]
    batch = source.windows.draw()
    with torch.no_grad():
        here, moved = (loss(network, b, Weights(), keep)[0] for b in (batch, batch.halved().on(torch.device("cpu"))))
    torch.testing.assert_close(moved, here, rtol=1e-3, atol=1e-3)  # features in float16 on the way
    assert Shape(**SHAPES["window"]).rows == len(batch.tokens)
