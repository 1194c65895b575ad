"""Executing a question: column by column where that can be proven equal, by graphql-core where it cannot.

`plan` says what a selection asks of each type, made once for a document. `walk` answers it breadth first: a field is
resolved for all objects of a level together, so that a class page costs by its fields and not by its cells. `leaves`
puts columns of values into the words of the answer. `many` has the resolvers that answer for many objects at once.
"""
