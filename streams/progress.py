"""A progress bar for files, on a terminal only."""

import os
import sys
from typing import BinaryIO


def bar(share: float) -> str:
    """So much of it is done."""
    return f"[{'#' * int(share * 40):<40}]"


class Progress:
    """Shows how much of the files is read; silent unless standard error is a terminal and answers go elsewhere, or
    come only `afterwards`."""

    def __init__(self, files: list[tuple[str, BinaryIO]], afterwards: bool = False) -> None:
        sizes = [os.fstat(f.fileno()).st_size for name, f in files if name != "-"]
        alone = afterwards or not sys.stdout.isatty()
        self._shown = sys.stderr.isatty() and alone and len(sizes) == len(files) and sum(sizes) > 0
        self._total = sum(sizes)
        self._files = [f for _, f in files]

    def show(self, current: BinaryIO) -> None:
        """Draw the bar after some lines."""
        if not self._shown:
            return
        before = sum(os.fstat(f.fileno()).st_size for f in self._files[: self._files.index(current)])
        share = min(1.0, (before + current.tell()) / self._total)
        print(f"\r{bar(share)} {share:4.0%}", end="", file=sys.stderr, flush=True)

    def done(self) -> None:
        """Clear the bar."""
        if self._shown:
            print("\r" + " " * 50 + "\r", end="", file=sys.stderr, flush=True)
