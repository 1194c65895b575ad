"""OneRoster 1.2 as its three official descriptions say it, asked of a running platform: `make conformance`.

`official` reads the descriptions, `district` finds out through the API itself what there is to ask for, `questions`
makes queries and bodies of it, `cases` asks and checks, `page` tells what came of it.
"""
