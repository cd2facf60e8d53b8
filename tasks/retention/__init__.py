"""What a feed keeps for how long: receipts for ever, and the rest for as long as its owner says."""
