"""The readme's example runs and prints what it says."""

import contextlib
import io
import re
from pathlib import Path

README = Path(__file__).parent.parent.parent / "README.md"


def test_the_example_prints_what_the_readme_says() -> None:
    """A reader who copies it sees the same."""
    text = README.read_text()
    code = re.search(r"test_readme.py -->\n```python\n(.*?)```\n\nprints `(.*?)`", text, re.DOTALL)
    assert code is not None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code[1], {})
    assert printed.getvalue().strip() == code[2]
