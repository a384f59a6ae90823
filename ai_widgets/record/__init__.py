"""Session record: events, audio, tables and transcripts."""
