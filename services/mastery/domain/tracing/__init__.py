"""Tracing: from the responses of a student to the probability that a competency is known.

Read it in this order. `skill` has the parameters, their bounds and the box of what they could also be; `update` what
one response or the time without one does to a belief; `level` what a belief is called.
"""
