"""The page as a folder of static files and as one HTML file, and ``ai-widgets page``."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from base64 import b64decode, b64encode
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_widgets.cli.main import main
from ai_widgets.errors import PageError, RecordError
from ai_widgets.inference import Model, load_model
from ai_widgets.page import contents as contents_module
from ai_widgets.page import files
from ai_widgets.page.contents import _service_worker
from ai_widgets.page.files import BUILT, SITE_FILE
from ai_widgets.page.single_file import parts, write_single_file
from ai_widgets.page.site import write_site

INDEX = b"""<!doctype html>
<html><head>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'">
<link rel="stylesheet" href="page.css">
<title>Audio-Interaction in this page</title>
</head><body><main id="aiw-page"><p>Loading</p></main>
<script src="page.js"></script>
</body></html>
"""
SITE = {
    "index.html": INDEX,
    "page.js": 'console.log("\\1 ü")'.encode(),
    "page.css": b"body{margin:0}",
    "engine-worker.js": b"onmessage = null;",
    "ort-wasm-simd-threaded.wasm": bytes(range(256)) * 10,
    "page.licenses.txt": b"MIT",
    "sw.js": b"// the worker",
    "model/manifest.json": b"{}",
    "model/step.onnx": b"\0\1</script>",
}


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class TestFolder:
    def test_a_new_folder_holds_every_file_and_the_list_of_them(self, tmp_path: Path) -> None:
        write_site(SITE, tmp_path / "page")
        found = tree(tmp_path / "page")
        listed = json.loads(found.pop(SITE_FILE))
        assert found == SITE
        assert listed["files"] == {name: hashlib.sha256(content).hexdigest() for name, content in SITE.items()}
        assert (tmp_path / "page").stat().st_mode & 0o555 == 0o555, "a web server of another user reads it"

    def test_a_new_folder_appears_complete_or_not_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fail_at(monkeypatch, "step.onnx")
        with pytest.raises(PageError, match=r"cannot be written to .*: No space left on device"):
            write_site(SITE, tmp_path / "page")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("content", [None, b"not JSON", b"[]", b'{"format": "another", "files": {}}'])
    def test_a_folder_with_other_content_is_refused_and_left_as_it_is(
        self, tmp_path: Path, content: bytes | None
    ) -> None:
        (tmp_path / "thesis.tex").write_text("Years of work")
        if content is not None:
            (tmp_path / SITE_FILE).write_bytes(content)
        before = tree(tmp_path)
        with pytest.raises(
            PageError, match=r"contains (site\.json and more|thesis\.tex), and is no page of ai-widgets"
        ):
            write_site(SITE, tmp_path)
        assert tree(tmp_path) == before

    def test_a_file_and_a_missing_parent_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(PageError, match=r"file is a file\. Name a folder, or add --single-file"):
            write_site(SITE, tmp_path / "file")
        with pytest.raises(PageError, match="none does not exist"):
            write_site(SITE, tmp_path / "none" / "page")

    def test_an_older_page_is_replaced_and_what_others_put_there_stays(self, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / ".git" / "HEAD").write_text("ref")
        write_site({**SITE, "old/gone.bin": b"1", "old.js": b"2"}, tmp_path)
        (tmp_path / "CNAME").write_text("example.org")
        write_site({**SITE, "page.js": b"new"}, tmp_path)
        found = tree(tmp_path)
        assert found.pop(".git/HEAD") == b"ref"
        assert found.pop("CNAME") == b"example.org"
        assert set(json.loads(found.pop(SITE_FILE))["files"]) == set(SITE)
        assert found == {**SITE, "page.js": b"new"}
        assert not (tmp_path / "old").exists()

    @pytest.mark.parametrize("before", [False, True], ids=["empty folder", "older page"])
    def test_an_interrupted_update_leaves_a_page_that_the_next_one_completes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
    ) -> None:
        if before:
            write_site({**SITE, "old.js": b"2"}, tmp_path)
        with monkeypatch.context() as patch:
            fail_at(patch, "page.js")
            with pytest.raises(PageError):
                write_site({**SITE, "page.js": b"new"}, tmp_path)
        write_site(SITE, tmp_path)
        assert set(tree(tmp_path)) == {*SITE, SITE_FILE}

    def test_the_list_of_an_older_page_removes_nothing_outside(self, tmp_path: Path) -> None:
        folder = tmp_path / "page"
        write_site(SITE, folder)
        (tmp_path / "mine.txt").write_text("mine")
        listed = json.loads((folder / SITE_FILE).read_text())
        listed["files"] |= {"../mine.txt": "", str(tmp_path / "mine.txt"): ""}
        (folder / SITE_FILE).write_text(json.dumps(listed))
        write_site(SITE, folder)
        assert (tmp_path / "mine.txt").read_text() == "mine"


def fail_at(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The disk is full when the file `name` is written."""
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if name in path.name:
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)


class TestServiceWorker:
    def test_it_knows_every_file_but_itself(self) -> None:
        first, rest = _service_worker(SITE).split(b"\n", 1)
        facts = json.loads(first.removeprefix(b"const SITE = ").removesuffix(b";"))
        assert facts["files"] == sorted(set(SITE) - {"sw.js"})
        assert rest == SITE["sw.js"]

    @given(st.sampled_from(sorted(SITE)), st.binary(max_size=8))
    def test_its_version_changes_with_any_file(self, name: str, more: bytes) -> None:
        changed = {**SITE, name: SITE[name] + more}
        assert (_service_worker(changed) == _service_worker(SITE)) == (more == b"")


class TestSingleFile:
    def test_every_file_is_inside(self, tmp_path: Path) -> None:
        write_single_file(SITE, tmp_path / "page.html")
        document = (tmp_path / "page.html").read_text(encoding="utf-8")
        pattern = r'<script type="text/plain" data-aiw-file="([^"]*)">([^<]*)</script>'
        found = {name: gzip.decompress(b64decode(text)) for name, text in re.findall(pattern, document)}
        inline = {"index.html", "page.js", "page.css", "sw.js"}
        assert found == {name: content for name, content in SITE.items() if name not in inline}
        assert document.index("data-aiw-file") < document.index("console.log"), "the files are there when it starts"
        assert (tmp_path / "page.html").stat().st_mode & 0o444 == 0o444

    def test_the_policy_allows_its_script_and_style_and_no_network(self) -> None:
        document = b"".join(parts(SITE)).decode()
        (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', document)
        rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
        script, style = (b64encode(hashlib.sha256(SITE[name]).digest()).decode() for name in ("page.js", "page.css"))
        assert f"'sha256-{script}'" in rules["script-src"]
        assert rules["style-src"] == f"'sha256-{style}'"
        assert rules["default-src"] == "'none'"
        assert not re.search(r"https?:|'self'|'unsafe-inline'|'unsafe-eval'|\*", policy)

    def test_it_is_written_whole_or_not_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "page.html").write_text("the older page")
        monkeypatch.setattr("ai_widgets.page.single_file.MOST_BYTES", 1_000)
        with pytest.raises(PageError, match="leave out --single-file"):
            write_single_file(SITE, tmp_path / "page.html")
        assert tree(tmp_path) == {"page.html": b"the older page"}

    @pytest.mark.parametrize(
        ("name", "content"),
        [("page.js", b"x = '</script>'"), ("page.css", b"<!--"), ("index.html", b"<html></html>")],
    )
    def test_a_build_that_would_break_the_document_is_refused(self, name: str, content: bytes) -> None:
        with pytest.raises(PageError, match="run `make` to build it again"):
            b"".join(parts({**SITE, name: content}))

    def test_a_folder_and_a_missing_parent_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(PageError, match=r"is a folder\. Name a file, such as .*page\.html"):
            write_single_file(SITE, tmp_path)
        with pytest.raises(PageError, match="none does not exist"):
            write_single_file(SITE, tmp_path / "none" / "page.html")


class TestCommand:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A front end and an export of a few bytes; the real ones have tests of their own."""
        monkeypatch.setattr(files, "built", lambda: {name: SITE[name] for name in BUILT})
        monkeypatch.setattr(contents_module, "built", lambda: {name: SITE[name] for name in BUILT})
        monkeypatch.setattr(contents_module, "export", lambda *_: {"manifest.json": b"{}", "step.onnx": b"1"})

    def test_it_writes_a_folder_and_says_how_to_see_it(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["page", str(tmp_path / "page")]) == 0
        found = tree(tmp_path / "page")
        assert {"index.html", "sw.js", "model/step.onnx", "model/CREDITS.md", SITE_FILE} <= set(found)
        told = capsys.readouterr().out
        assert f"python -m http.server --bind 127.0.0.1 --directory {tmp_path / 'page'}" in told

    def test_it_writes_a_single_file(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["page", "--single-file", str(tmp_path / "page.html")]) == 0
        assert 'data-aiw-file="model/step.onnx"' in (tmp_path / "page.html").read_text(encoding="utf-8")
        assert "it needs no server" in capsys.readouterr().out

    def test_it_refuses_a_foreign_folder_before_it_loads_a_model(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "mine.txt").write_text("")
        assert main(["page", str(tmp_path), "--checkpoint", "no-such-folder/at-all"]) == 2
        assert "contains mine.txt, and is no page of ai-widgets" in capsys.readouterr().err


class TestRecording:
    @pytest.fixture(autouse=True)
    def _small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(contents_module, "built", lambda: {name: SITE[name] for name in BUILT})
        monkeypatch.setattr(contents_module, "export", lambda *_: {"manifest.json": b"{}"})

    @staticmethod
    def recorded(model: Model, folder: Path) -> Path:
        session = model.session(greedy=True)
        session.push(np.zeros(6400, np.float32))
        return session.record.save(folder / "talk.aiw")

    def test_it_is_in_the_page_and_the_document_names_it(self, toy: Model, tmp_path: Path) -> None:
        talk = self.recorded(toy, tmp_path)
        found = contents_module.contents(toy, talk)
        assert found["recording.aiw"] == talk.read_bytes()
        assert b'<main id="aiw-page" data-recording="recording.aiw">' in found["index.html"]
        assert b"<title>Session with " in found["index.html"]
        assert b"recording.aiw" in found["sw.js"], "it opens without a network, too"
        assert "recording.aiw" not in contents_module.contents(toy)

    def test_a_recording_of_another_model_is_refused(self, toy: Model, tmp_path: Path) -> None:
        talk = self.recorded(toy, tmp_path)
        with pytest.raises(
            PageError, match=r"whose weights are not those of tiny; name its checkpoint with --checkpoint"
        ):
            contents_module.contents(load_model("tiny", "cpu"), talk)

    def test_what_is_no_recording_is_refused(
        self, toy: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "talk.aiw").write_text("not one")
        with pytest.raises(RecordError, match=r"talk\.aiw"):
            contents_module.contents(toy, tmp_path / "talk.aiw")
        with pytest.raises(PageError, match="is a folder; a page takes a recording in one file"):
            contents_module.contents(toy, tmp_path)
        assert main(["page", str(tmp_path / "page"), "--recording", str(tmp_path / "none.aiw")]) == 2
        assert "none.aiw" in capsys.readouterr().err


def test_a_tree_that_was_not_built_says_how_to_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "files", lambda _: tmp_path)
    with pytest.raises(PageError, match=r"index\.html is missing: .* Run `make setup`, or `npm run build`"):
        files.built()
