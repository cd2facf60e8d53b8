"""The scan of files: divided among workers, and what it shows of the rows that fail."""
