"""Audio: files, exact chunks of any rate, log-mel features, and a file that a session's audio is written to."""
