"""Audio input: file reading, resampling to exact chunks, log-mel features, and the audio file of a session."""
