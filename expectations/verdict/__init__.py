"""The result of judging a batch: verdict, violations, rule results, and both in sentences."""
