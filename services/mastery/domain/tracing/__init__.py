"""Tracing: from the responses of a student to the probability that a competency is known.

What the running platform needs comes first. `skill` has the parameters, their bounds and the box of what they could
also be; `update` what one response or the time without one does to a belief; `replay` does it for many sequences;
`level` says what a belief is called; `cold` where a student begins who has shown nothing.

Then how parameters are found. `items` finds the difficulty of items, `evidence` the sequences and their symbols,
`forest` what they have in common; `plain` and `compiled` are the two kernels of the expectation (`kernel` chooses,
`counts` is what they exchange); `model` and `mstep` maximise, `em` goes from starts to maxima, `errors` says how sure
they are, `fit` what is accepted. `predict` asks how well it works, `students` how
much better where each student begins at a prior of their own.
"""
