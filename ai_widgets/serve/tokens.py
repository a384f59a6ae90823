"""Tokens of learners: generated, kept in a file of the teacher, and compared in constant time."""

from __future__ import annotations

import hmac
import os
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from ..errors import SettingError

TOKEN_BYTES = 18
"""Random bytes of a token, which 24 characters write: 144 bits cannot be guessed over a network."""
MIN_TOKEN = 16
"""Characters of the shortest token that a file may hold."""
MAX_FILE_BYTES = 1_000_000
"""Size of a token file: more than ten thousand learners."""
SCHEME = "Bearer "
"""Beginning of the header `Authorization`."""


class Tokens:
    """Token of each learner.

    Parameters
    ----------
    by_name
        Token by the learner's name.
    """

    def __init__(self, by_name: Mapping[str, str]) -> None:
        self.by_name = dict(by_name)
        # Digests have one length, so that the time of a comparison tells nothing about a token.
        self._digests = [(name, _digest(token)) for name, token in self.by_name.items()]

    def digested(self) -> Tokens:
        """Return the same tokens as digests, which admit the same learners and tell no token."""
        other = Tokens({})
        other._digests = list(self._digests)
        return other

    @staticmethod
    def generate(learners: int) -> Tokens:
        """Generate tokens for learners named `learner-01` and so on."""
        return Tokens({f"learner-{place:02}": secrets.token_urlsafe(TOKEN_BYTES) for place in range(1, learners + 1)})

    @staticmethod
    def read(path: Path) -> Tokens:
        """Read a file with a line `name token` for each learner; empty lines and lines that begin with # are skipped.

        Raises
        ------
        SettingError
            If the file cannot be read, or a line is no name and token, or a name or a token appears twice.
        """
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise SettingError(f"{path} is larger than {MAX_FILE_BYTES:,} bytes, so it is no file of tokens.")
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingError(f"The tokens cannot be read from {path}: {error}.") from error
        found: dict[str, str] = {}
        for number, line in enumerate(lines, 1):
            parts = line.split()
            if not parts or parts[0].startswith("#"):
                continue
            if len(parts) != 2 or len(parts[1]) < MIN_TOKEN or parts[0] in found or parts[1] in found.values():
                # The line itself is not quoted: it may be a token.
                raise SettingError(
                    f"Line {number} of {path} must be a name and a token of at least {MIN_TOKEN} characters, each "
                    "once in the file."
                )
            found[parts[0]] = parts[1]
        if not found:
            raise SettingError(f"{path} holds no token; delete it, and the server writes a new one.")
        return Tokens(found)

    def write(self, path: Path) -> None:
        """Write the tokens to a new file that only its owner can read.

        Raises
        ------
        SettingError
            If the file exists, or cannot be written.
        """
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("# name token: one line a learner\n")
                file.writelines(f"{name} {token}\n" for name, token in self.by_name.items())
        except OSError as error:
            raise SettingError(f"The tokens cannot be written to {path}: {error}.") from error

    def learner(self, authorization: str | None) -> str | None:
        """Return the name of the learner whose token a header `Authorization: Bearer …` holds, or None.

        Every token is compared, also after one was found.
        """
        given = authorization or ""
        digest = _digest(given.removeprefix(SCHEME) if given.startswith(SCHEME) else "")
        found = None
        for name, known in self._digests:
            if hmac.compare_digest(digest, known):
                found = name
        return found


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "replace")).digest()
