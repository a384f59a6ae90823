"""Describe a plain HTTP response of the class server, for both servers that send it."""

from __future__ import annotations


def headers_of(kind: str, body: bytes) -> dict[str, str]:
    """Return the headers of a response that no cache keeps and whose content type no browser guesses.

    Parameters
    ----------
    kind
        Content type.
    body
        Content of the response.

    Examples
    --------
    >>> headers_of("text/plain", b"ready")["content-length"]
    '5'
    """
    return {
        "content-type": kind,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
