"""OneRoster's REST as far as it needs no database: versions, questions, vocabularies, refusals."""
