"""Measure the replies of a checkpoint or a baseline: ``ai-widgets evaluate``.

One module per step::

    material    recordings that no checkpoint was trained on
    scenes      material -> labelled streams of eight suites; a seed always gives the same streams
    long_sessions
                material -> continuous sessions of six minutes, for recall by age of session
    ability_scenes
                material -> scenes that each ask for one ability
    lookahead   a decoder that reads recorded streams several chunks at a time, several streams in a pass
    streams     the scenes, long sessions and abilities of an evaluation, in their order
    players     a checkpoint or a baseline that replies to a scene
    playing     players and streams -> a line a stream; many sessions in one forward pass
    results     the lines in a file, with which the command goes on after a kill
    scoring     replies and occasions -> outcomes
    statistics  intervals, calibration, F1
    figures     outcomes -> the figures of the JSON
    summary     lines -> all figures of a part
    age         outcomes of long sessions -> the figures of each minute of a session
    abilities   outcomes of ability scenes -> the figures of each ability
    gap         figures of seen and of unseen sources -> their differences
    words       figures -> lines for the terminal
    report      figures -> one HTML page
    command     the options, progress and reports

Two modules measure the context of a checkpoint, each with its own command (``python -m``)::

    sliding        decisions after a slide, compared with those of a context that was rebuilt at the slide
    context_curve  recall by age of session for several context lengths, to choose a checkpoint's default from

Importing this package imports none of its modules.
"""
