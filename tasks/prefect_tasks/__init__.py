"""The Prefect tasks: each logs, calls and returns."""
