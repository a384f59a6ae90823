"""A person without a microphone: one press, and the model replies to a clip; or answers about one clip."""

from __future__ import annotations

from playwright.sync_api import expect

from ai_widgets.audio.clips import clips

from .conftest import OpenNotebook

WIDGET = "import ai_widgets as aiw\nw = aiw.AudioInteraction(greedy=True)\nw"


def test_one_press_gives_a_first_reply_without_a_microphone(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook([WIDGET], device=False)
    notebook.run_cell(0)
    notebook.button("pace").select_option("fast")
    notebook.button("play-first-clip").click()
    expect(notebook.button("transcript")).to_contain_text(clips["speech_pause_speech"].expected[0].text)
    expect(notebook.button("first-clip")).to_have_count(0)
    expect(notebook.button("playing")).to_have_attribute("data-file", "ended")
    notebook.button("clip").select_option("digit")
    expect(notebook.button("transcript")).to_contain_text(clips["digit"].expected[0].text)
    assert notebook.ask("w.record.notices.query('kind == \"stream\"')['message'].tolist()") == [
        "Audio of the file clip:speech_pause_speech at 16000 Hz begins.",
        "Audio of the file clip:digit at 16000 Hz begins.",
    ]
    notebook.shot("clips")


def test_an_answer_about_one_clip_is_drawn_token_by_token(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(["import ai_widgets as aiw\nview = aiw.AnswerView(greedy=True)\nview"], device=False)
    notebook.run_cell(0)
    part = notebook.page.get_by_test_id
    part("answer-clip").select_option("digit")
    part("answer-text").fill("What was said?")
    part("answer-ask").click()
    expect(part("answer")).to_have_attribute("data-state", "done")
    said = notebook.ask("''.join(token['text'] for token in view.answer['tokens'])")
    expect(part("answer-said")).to_have_text(said)
    expect(part("answer-note")).to_contain_text("tiny was not trained to transcribe")
    notebook.page.locator(".aiw-token").first.hover()
    expect(notebook.page.locator(".aiw-tip")).to_contain_text("raw probabilities")
    notebook.page.screenshot(path=notebook.artifacts / "answer.png")
