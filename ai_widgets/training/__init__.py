"""Train the embedded checkpoint: from recordings and synthesised speech to a folder that `load_model` reads.

The steps, with their modules::

    speech            synthetic voices on disk      python -m ai_widgets.training.speech --out SPEECH
                      the replies read by machines  python -m ai_widgets.training.speech --machine --out SPEECH
    world_words       what espeak-ng says in other languages
    warping           more speakers from these      python -m ai_widgets.training.warping --speech SPEECH --out SPEECH
    lexicon           the words that are named, the texts that are spoken
    corpus            files -> labelled clips, split into training and validation
    clipcache         decoded clips on disk
    rendered_music    sampled instruments           python -m ai_widgets.training.rendered_music --out EXTRA/music
    scores            what they play: random pieces; styles: their bands, tempos and drum patterns
    sounds            generated ambience, knocks, music, alarms; synthesis: their building blocks
    distractors       generated events that get no reply
    acoustics         rooms, microphones, levels; lines: gain control, codecs, lost packets
    compose_streams   clips and sounds -> streams of 6 ... 62 s
    compose_events    the events of a stream: one by one, repeated, at once; beds: the ambience under them
    unfinished        where a sentence can pause; clip_variation: speed, fades, cuts
    labels            the reply label of each chunk of a stream
    mels              features of whole streams, equal to those at run time
    pool              streams on disk, ready for training
    replies           texts of the replies
    vocabulary        tokenizer and special tokens
    token_sequences   streams -> token sequences (docs/protocol.md §3 and 7)
    network           Qwen2 and the Qwen2.5-Omni tower, small
    mel_clips         clips -> log-mel excerpts; colouring: their augmentation
    event_windows     excerpts -> windows of a few seconds with one event, composed during training
    phones            pronunciations of texts
    recipe            the parameters of a training, and those of the shipped checkpoint
    batches, curriculum, objective, trainer
    peers, composers  several processes that train one network, or compose for a GPU that trains
    operating_point   biases of the exported logits
    mean_weights      the mean of two checkpoints   python -m ai_widgets.training.mean_weights A B --out MEAN
    trained_context   the default context of the checkpoint
    export            the checkpoint folder

A user's own clips enter through other modules, and share the later steps::

    conversations   JSON lines or folders of clips -> turns, split by source
    compose_turns   turns -> streams
    transfer        weights of a checkpoint under a new vocabulary
    user_clips      all steps, for ``ai-widgets train --data clips.jsonl``
    heldout         held-out clips through a session

To reproduce the shipped checkpoint::

    python -m ai_widgets.training.speech --out SPEECH
    python -m ai_widgets.training.speech --machine --out SPEECH
    python -m ai_widgets.training.rendered_music --out EXTRA/music --count 300 --seed 1
    ai-widgets train --data DATA --speech SPEECH --extra EXTRA --start V7 --config GPU.json \
        --device cuda --composers 15 --workers 15 --shards 16 --out RUN
    ai-widgets train --data DATA --speech SPEECH --extra EXTRA --start RUN/checkpoint --config COUNT.json \
        --processes 2 --shards 14 --out COUNT
    ai-widgets train --data DATA --speech SPEECH --extra EXTRA --start COUNT/checkpoint --config NINTH.json \
        --processes 2 --shards 48 --out NINTH
    ai-widgets train --data DATA --speech SPEECH --extra EXTRA --start NINTH/checkpoint \
        --processes 2 --shards 60 --out LAST
    python -m ai_widgets.training.mean_weights LAST/checkpoint NINTH/checkpoint --share 0.7 --out MEAN
    ai-widgets evaluate --checkpoint MEAN --data DATA --unseen --hours 2 --sessions 6 --seed 77

DATA is a folder with a `manifest.csv` (path, label, text, source, licence, and where known speaker_or_file_group), and
EXTRA one with more sounds, a folder per label. V7 is the version before; with ``--start none`` the same takes longer.
GPU.json is the recipe `recipe.ON_A_GPU`. COUNT.json stands for the recipes of two runs in a row, each begun with the
checkpoint of the one before, NINTH.json for the recipe of the ninth version. ``training.json`` of the checkpoint has
them as JSON under ``stages``; the last run has the default recipe, `recipe.SHIPPED`.
Importing this package imports none of its modules.
"""
