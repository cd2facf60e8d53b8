"""``signature-gate demo``: a month of real flights, gated and scored."""
