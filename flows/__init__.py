"""What happens in which order: the Prefect flows, the command line, the demo."""
