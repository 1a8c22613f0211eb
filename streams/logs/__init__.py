"""The logs that a gate reads: whether they are whole, in which order they are one, and what of them may be taken."""
