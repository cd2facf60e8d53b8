"""Where batches and outputs lie that are on no disk."""
