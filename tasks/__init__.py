"""One effect on the world each: plain functions, and the thin Prefect tasks above them.

The folders are layers. From the bottom up: ``feed``, ``storage`` and ``preflight``, ``scoring``,
``quarantine``, ``monitoring``, ``alerts``, ``prefect_tasks``. A folder imports only from those
below it, and from ``expectations``. Only ``prefect_tasks`` defines tasks.
"""
