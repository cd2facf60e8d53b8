from divided_feeds import twin_feeds  # noqa: F401 - a fixture
