"""Partnership: schools that help each other, matched strength to need, only where both are willing.

It owns programmes (areas, money, rules), what schools declare of their willingness and every word they have said of
it, matchings with their frozen inputs, the partnerships they propose, and what both sides answer.

It announces `WillingnessDeclared`, `PartnershipsProposed` and `ProposalsAnswered`. It listens to nothing: what it needs
of schools and of their published figures it asks the roster and mastery for when a matching begins.

Read on in this order: `domain`, `store`, `handlers`, `api`, `events`, `main`.
"""
