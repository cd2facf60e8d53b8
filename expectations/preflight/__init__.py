"""Example and generated batches to try a model on, and the report on the trial."""
