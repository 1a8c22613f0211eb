"""A deliberately naive model of the gate: every fact kept, every offer judged from scratch."""
