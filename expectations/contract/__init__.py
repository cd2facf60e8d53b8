"""What a model's signature says, and what the policy adds to it."""
