"""Limits of the class server: times in seconds, sizes in bytes."""

from __future__ import annotations

from ..widget.wire.limits import MAX_BLOCK_BYTES

PATH = "/session"
"""Path of the WebSocket; `/health` and `/metrics` are the others."""
PLACES = 30
"""Sessions at a time by default: a class."""
PLACES_EACH = 2
"""Sessions of one learner at a time by default: two widgets of a notebook."""
MAX_FRAME_BYTES = MAX_BLOCK_BYTES + 128 * 1024
"""Size of a received message: a block, and the JSON beside it, of which settings are the longest part (64 KiB)."""
READ_AHEAD = 4
"""Received messages that the socket holds before it stops to read: a slow model stops the sender."""
HELLO_SECONDS = 10.0
"""Time in which a new connection must say hello; then it is closed."""
PING_SECONDS = 20.0
"""Time between two pings, and time in which one must be answered: a vanished client is noticed after 40 s at most."""
SLOW_SECONDS = 20.0
"""Time in which a client must take a message: a slower one is told and disconnected. Its session can be resumed."""
RESUME_SECONDS = 60.0
"""Time for which the place of a vanished client is kept for it, unless another learner needs the place."""
DRAIN_SECONDS = 15.0
"""Time in which replies in progress may end before the server ends: the grace of container hosts is 30 s."""
CLOSE_SECONDS = 2.0
"""Time in which a client must answer the closing of its socket."""
AHEAD_SECONDS = 10.0
"""Undecided audio of one session, from which on nothing more is read from its client."""
BURST_SECONDS = 20.0
"""Audio that a client may send at once, such as a short file."""
FASTER = 4.0
"""Seconds of audio that a client may send per second in the long run: one session takes no more of the model."""
PAST_SHARE = 1 / 12
"""Seconds of audio that a second of a past counts as: it is fed in wide passes without decisions, and a full context of
the default size (62 s) is then taken without a pause."""
UNREAD_BYTES = 4 * MAX_FRAME_BYTES
"""Size of unread messages of one client behind a server that cannot make it wait; with more it is disconnected. A
client of this package sends a chunk (26 kB) at a time, and a past of at most 7.7 MB."""
UNREAD_MESSAGES = 10_000
"""Number of the same."""
MESSAGE_SECONDS = 0.02
"""Seconds of audio that a message without audio counts as, so that at most 200 a second are read."""
MAX_EVENTS = 1_500
"""Events of a session that are complete in memory, about three minutes: more than a client lacks that comes again in
time, and some 5 MB a session."""
MAX_ANSWERS = 200
"""Answers queued for a client; beyond it the oldest is dropped, as in the widget's outbox."""
