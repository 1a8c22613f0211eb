"""What reports say of how they came about."""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]


def ground() -> str:
    """When, on what commit and where something is measured or shown."""
    command = ("git", "rev-parse", "--short=10", "HEAD")
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return f"{datetime.now(UTC):%Y-%m-%d}, {commit}, {os.cpu_count()} cores, Python {platform.python_version()}"
