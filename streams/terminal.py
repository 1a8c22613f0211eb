"""What others wrote, as it may be shown on a terminal: nothing in it steers it or turns the reading order."""


def plain(words: str) -> str:
    """Text of others in one line, whatever is in it."""
    return words if words.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in words)


def plain_lines(words: str) -> str:
    """The same of several lines, whose ends stay."""
    return words if words.isprintable() else "\n".join(map(plain, words.split("\n")))
