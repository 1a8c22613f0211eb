"""The law as pure functions: facts in, answers out. No clock, network, environment or log.

Others take each name from its module; they begin with `gate.arrival.step` (one fact in, everything that follows out) and
`gate.decision.decide` (one question, one answer).
"""
