"""One effect on the world each: a plain function and the thin Prefect task beside it."""
