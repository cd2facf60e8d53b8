"""A feed on disk: its configuration, inbox, batch identities, receipts and history."""
