"""What a model expects, and whether a batch meets it; nothing here knows Prefect.

The folders are layers. From the bottom up: ``contract`` and ``gx``, ``verdict``, ``batch``,
``conform``, ``readers`` and ``rules`` and ``preflight``, ``suite``, ``registry`` and ``judge``,
``drift`` and ``outputs`` and ``report``. A folder imports only from those below it.
"""
