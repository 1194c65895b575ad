"""What may be said of groups: counts, rates and gaps with their uncertainty, and which of them must be hidden.

Arithmetic on tables of counts; it does not know what is counted. `tables` says which counts add up to which,
`suppression` which to hide so that none that is hidden can be computed, `measures` and `segregation` what is told of
those that are shown.
"""
