"""Audio files on their way into a session: files that pages hold, reading ahead, and progress."""
