"""Batches made to try a model out, and the report on the trial."""
