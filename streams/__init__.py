"""Bytes in and out: the border of the gate."""
