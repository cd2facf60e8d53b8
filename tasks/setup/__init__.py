"""Begin a feed: a policy that fits a sample of the data, and the feed's file."""
