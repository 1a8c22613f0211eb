"""A shipped month of a fictional platform, for the demo and the tests."""
