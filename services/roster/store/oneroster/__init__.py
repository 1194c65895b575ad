"""OneRoster's objects out of the tables: what each is made of, which there are, and pages of them."""
