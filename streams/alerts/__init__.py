"""Alerts: who is told of held and blocked offers and of cases, grouped, signed, and sent until it has arrived."""
