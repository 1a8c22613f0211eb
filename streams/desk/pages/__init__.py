"""The desk's pages, a module each."""
