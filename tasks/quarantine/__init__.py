"""What was set aside: list it, judge it again, release it or discard it."""
