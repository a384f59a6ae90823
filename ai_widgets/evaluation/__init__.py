"""How well something that listens replies: ``ai-widgets evaluate``.

One module a step::

    material    recordings that were never trained on
    scenes      material -> labelled streams of six kinds; a seed gives the same streams to everybody
    lookahead   a decoder that reads recorded streams several chunks at a time
    players     a checkpoint or a baseline listens to a scene
    scoring     replies and occasions -> outcomes
    statistics  intervals, calibration, F1
    figures     outcomes -> the figures of the JSON
    words       figures -> lines for the terminal
    report      figures -> one HTML page
    command     the options, and the loop over scenes and players

Importing this package imports none of its modules.
"""
