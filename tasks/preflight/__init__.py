"""A candidate model tried on recent and made-up batches before it is promoted."""
