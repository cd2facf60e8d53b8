"""What a model expects, and whether a batch meets it; nothing here knows of Prefect."""
