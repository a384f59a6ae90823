"""How well something that listens replies: ``ai-widgets evaluate``.

One module a step::

    material    recordings that were never trained on
    scenes      material -> labelled streams of six kinds; a seed gives the same streams to everybody
    long_sessions
                material -> live sessions of six minutes, for recall by age of session
    lookahead   a decoder that reads recorded streams several chunks at a time
    players     a checkpoint or a baseline listens to a scene
    scoring     replies and occasions -> outcomes
    statistics  intervals, calibration, F1
    figures     outcomes -> the figures of the JSON
    age         outcomes of long sessions -> the figures of each minute of a session
    words       figures -> lines for the terminal
    report      figures -> one HTML page
    command     the options, and the loop over scenes and players

Two more measure the context of a checkpoint, each with a command of its own (``python -m``)::

    sliding        decisions after a slide against those of a context that was bare at the slide
    context_curve  recall by age of session over lengths of the context, from which a checkpoint's own is chosen

Importing this package imports none of its modules.
"""
