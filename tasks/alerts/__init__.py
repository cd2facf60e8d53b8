"""Alerts: their words, their receivers, and automations on a Prefect server."""
