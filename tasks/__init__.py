"""One effect on the world each: a plain function and the thin Prefect task beside it.

Read ``feed`` (the folders), ``order`` (why a crash is harmless) and ``lifecycle`` (a batch from the
inbox to its receipt) first. The neighbourhoods:

- A feed on disk: ``feed``, ``inbox``, ``identities``, ``durable``, ``claims``, ``order``,
  ``plans``, ``storage``, ``receipts``, ``accounts``, ``summaries``.
- Scoring a batch: ``lifecycle``, ``candidates``, ``attempts``, ``outcomes``, ``predictions``,
  ``outputs``, ``parquet_files``, ``profiles``, ``evidence``.
- The quarantine desk: ``quarantined``, ``custody``, ``rejudging``, ``releases``, ``released``,
  ``discards``, ``handled``, ``desk``.
- Looking back: ``history``, ``timelines``, ``overviews``, ``watches``, ``drifts``, ``forecasts``,
  ``movements``, ``told``.
- Trying a model out: ``rehearsals``, ``trials``, ``recent``.
- Prefect, MLflow and whoever is to be told: ``infrastructure``, ``batches``, ``checks``,
  ``contracts``, ``quarantine``, ``publishing``, ``run_tables``, ``progress``,
  ``drift_publishing``, ``automations``, ``alerts``, ``notices``, ``tracking``.
"""
