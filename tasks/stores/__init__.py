"""Feeds in object stores: leases, workspaces, and receipts as the only commit."""
