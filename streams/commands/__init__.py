"""The commands of the program `gate61`, a file each; `streams.cli` puts them together."""
