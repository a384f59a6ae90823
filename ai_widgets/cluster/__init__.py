"""Work of a corpus on the machines of a Ray cluster, through Ray Data.

One module per step::

    connection  join a cluster, or start one on this machine
    workers     rows -> one result a row, by workers that load a model once
    parquet     the folder of results: one schema, written whole parts at a time, resumed after a kill

Nothing here schedules, retries or moves data: Ray does. Importing this package imports none of its modules.
"""
