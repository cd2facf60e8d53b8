"""Feeds that lie in object stores, or follow a table: leases, workspaces, receipts as commits."""
