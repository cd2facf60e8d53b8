"""What predict returned, held against the model's output schema."""
