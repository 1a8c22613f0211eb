"""The desk: people watch held and blocked offers, decide on them, and see each client's file."""
