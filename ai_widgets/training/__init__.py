"""How the embedded checkpoint is made: from recordings and synthesised speech to a folder that `load_model` reads.

The chain, one module a step::

    speech      synthetic voices on disk            python -m ai_widgets.training.speech --out SPEECH
    warping     more speakers made of these         python -m ai_widgets.training.warping --speech SPEECH --out SPEECH
    lexicon     the words it names, the texts spoken
    corpus      files -> labelled clips, split into training and validation; clipcache keeps them decoded
    sounds      generated ambience, knocks, music, alarms
    acoustics   rooms, microphones, lines, levels
    streams     clips and sounds -> streams of 6 ... 62 s
    labels      which chunk of a stream carries which reply
    mels        features of whole streams, equal to those of run time
    pool        streams on disk, ready for training
    replies     what is said; vocabulary: tokenizer and special tokens
    sequence    streams -> token sequences (docs/protocol.md §3 and 7)
    network     Qwen2 and the Qwen2.5-Omni tower, small
    windows     clips -> seconds with one event, composed while training goes on; phones: how texts are pronounced
    batches, curriculum, objective, trainer
    export      the checkpoint folder

A user's own clips take another way in, and share the rest::

    conversations   JSON lines or folders of clips -> turns, split by source
    turnstreams     turns -> streams
    start           the ears of a checkpoint under a new vocabulary
    own             all of it, for ``ai-widgets train --data clips.jsonl``
    heldout         held-out clips through a session

To make the shipped checkpoint again::

    python -m ai_widgets.training.speech --out SPEECH
    ai-widgets train --data DATA --speech SPEECH --extra EXTRA --out RUN
    ai-widgets evaluate --checkpoint RUN/checkpoint --data DATA --speech SPEECH --extra EXTRA

DATA is a folder with a `manifest.csv` (path, label, text, source, licence), EXTRA a folder of files a label.
Importing this package imports none of its modules.
"""
