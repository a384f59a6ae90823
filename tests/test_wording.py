"""The wording of comments: a function's first line is an imperative sentence, and no comment contains a riddle."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

import ai_widgets

PACKAGE = Path(ai_widgets.__file__).parent
FRONT_END = PACKAGE.parent / "js" / "src"
SOURCES = [path for path in sorted(FRONT_END.rglob("*.ts*")) if path.name not in ("events.ts", "messages.ts")]
"""Files of the front end, without the generated ones."""
NO_VERB = frozenset(
    {"A", "All", "Also", "An", "Any", "As", "At", "Each", "Every", "For", "How", "If", "In", "It", "Its", "No", "None"}
    | {"Nothing", "Of", "On", "One", "Only", "Some", "That", "The", "These", "They", "This", "Those", "To", "Two"}
    | {"What", "Whatever", "When", "Where", "Whether", "Which", "While", "Who", "Whose", "Why", "With", "Without"}
)
"""Words that begin a noun phrase or a clause."""
IMPERATIVES_IN_S = frozenset({"Bypass", "Compress", "Decompress", "Dismiss", "Focus", "Pass", "Process", "Suppress"})
"""Imperatives that end in s, as other verbs do in the third person."""
RIDDLES = re.compile(r"\b(let(s)? go of|nobody|riddle|whisker|whoever)\b", re.IGNORECASE)
"""Pictures, and pronouns whose referent the reader has to find."""
FUNCTION = re.compile(
    r"/\*\*[\s*]*(?P<text>(?:[^*]|\*(?!/))+)\*/\s*"
    r"(?:export )?(?:default )?(?:async )?"
    r"(?:function\b|(?:readonly )?#?\w+\??(?:<[^>]*>)?\((?!\))|#?\w+\(\)[:\s])"
)
"""Comment of a function or a method in TypeScript."""


def is_imperative(first_line: str) -> bool:
    """Return whether a first line can begin with an imperative verb."""
    word = re.match(r"[A-Z][a-z]+(?![\w-])", first_line)
    if word is None or word[0] in NO_VERB:
        return False
    return not word[0].endswith("s") or word[0] in IMPERATIVES_IN_S


def docstrings(path: Path) -> Iterator[tuple[str, str]]:
    """Yield name and docstring of the functions of a file that are not properties."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node)
            if text and not any("property" in ast.unparse(each) for each in node.decorator_list):
                yield node.name, text


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_functions_docstring_begins_with_an_imperative_verb(path: Path) -> None:
    assert [(name, text.splitlines()[0]) for name, text in docstrings(path) if not is_imperative(text)] == []


def has_number(value: ast.expr) -> bool:
    """Whether a value is made of numbers; those given to a constructor are explained by its parameters."""
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") not in ("round", "len"):
        return False
    if isinstance(value, ast.Constant):
        return type(value.value) in (int, float)
    return any(has_number(child) for child in ast.iter_child_nodes(value) if isinstance(child, ast.expr))


def numbers_without_docstring(tree: ast.Module) -> Iterator[str]:
    """Yield the names of a module's public constants whose value has a number and that no docstring follows."""
    for node, after in zip_longest(tree.body, tree.body[1:]):
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
            numeric = has_number(node.value)
            explained = (
                isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
                and isinstance(after.value.value, str)
            )
            if numeric and not explained:
                yield from (name for name in names if name.isupper() and not name.startswith("_"))


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_constant_with_a_number_says_its_unit_and_purpose(path: Path) -> None:
    assert list(numbers_without_docstring(ast.parse(path.read_text(encoding="utf-8")))) == []


def test_a_constant_without_a_docstring_is_found() -> None:
    assert list(numbers_without_docstring(ast.parse('LIMIT = 3\nRATE = 2.0\n"""In Hz."""\n'))) == ["LIMIT"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(FRONT_END).as_posix())
def test_a_functions_comment_in_the_front_end_begins_with_an_imperative_verb(path: Path) -> None:
    comments = [each["text"].strip() for each in FUNCTION.finditer(path.read_text(encoding="utf-8"))]
    assert [text for text in comments if not is_imperative(text) and not text.startswith("@")] == []


@pytest.mark.parametrize(
    "text",
    ["What a file says.", "The next event.", "Asks for a frame.", "`rate` as a number.", "Whether a page may record."],
)
def test_a_noun_phrase_or_a_statement_is_found(text: str) -> None:
    assert not is_imperative(text)


def test_the_comments_of_the_front_end_are_found() -> None:
    comments = [each["text"] for path in SOURCES for each in FUNCTION.finditer(path.read_text(encoding="utf-8"))]
    assert len(comments) > 300


@pytest.mark.parametrize("path", [*sorted(PACKAGE.rglob("*.py")), *SOURCES], ids=lambda path: path.name)
def test_no_comment_contains_a_riddle(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    comments = [line for line in lines if re.search(r"(^|\s)(#|//|/\*|\*|\"\"\")", line)]
    assert [line for line in comments if RIDDLES.search(line)] == []
