"""Contracts and models from MLflow, or from a folder or suite on disk."""
