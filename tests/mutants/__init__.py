"""Whether the tests notice when the law is broken in a small way: `make mutants`."""
