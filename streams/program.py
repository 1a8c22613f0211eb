"""The program `gate61`. Commands that judge many events take the compiled gate where there is one."""

import sys

JUDGING = ("decide", "rebuild", "worker")


def main() -> None:
    """Entry point."""
    if sys.argv[1:2] and sys.argv[1] in JUDGING:
        from streams import native

        native.prefer()
    from streams.border.wire import DIGITS_LIMIT
    from streams.cli import main as run

    sys.set_int_max_str_digits(DIGITS_LIMIT)  # Whatever the environment says, the same bytes are read alike.
    run()


if __name__ == "__main__":
    main()
