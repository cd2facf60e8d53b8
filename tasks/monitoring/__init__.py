"""Drift over the batches of a feed, forecasts for a new version, and a feed's pages."""
