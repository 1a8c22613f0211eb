"""`python -m tests.native TESTS...`: those tests with the compiled gate in place of the sources."""

import sys

import pytest

from streams import native

if __name__ == "__main__":
    if not native.prefer():
        raise SystemExit(native.missing())
    raise SystemExit(pytest.main(sys.argv[1:]))
