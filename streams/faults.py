"""What is gate61's own mistake, told apart from trouble of the world's: that is waited out, and a mistake must be mended."""

from pathlib import Path
from traceback import walk_tb

_ROOT = Path(__file__).parents[1]
_OURS = ("gate", "state", "streams")


def fault(error: BaseException) -> str:
    """The kind of a mistake and where in gate61 it came up, for whoever mends it; empty for any other error.

    Python's own errors are mistakes, but for those of the operating system and of memory; what a library or gate61 means
    to say has a class of its own. Without the error's text, which may hold what a client is called.
    """
    kind = type(error)
    if kind.__module__ != "builtins" or isinstance(error, OSError | MemoryError):
        return ""
    where = _where(error)
    return f"{kind.__name__} in {where}, a mistake of gate61's own" if where else f"{kind.__name__}, a mistake"


def _where(error: BaseException) -> str:
    """The last of our functions that it went through; by name, as lines of what is compiled are others."""
    codes = [frame.f_code for frame, _ in walk_tb(error.__traceback__)]
    for code in reversed(codes):
        path = Path(code.co_filename)
        path = path.relative_to(_ROOT) if path.is_relative_to(_ROOT) else path
        if path.parts and path.parts[0] in _OURS:
            return f"{path} ({code.co_qualname})"
    return ""


def cause(error: BaseException) -> str:
    """What it is, for logs and pages that may hold nothing of what clients are called: never its text."""
    return fault(error) or type(error).__name__
