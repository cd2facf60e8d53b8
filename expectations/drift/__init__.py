"""What changed between two contracts, two batches, or a batch and a contract."""
