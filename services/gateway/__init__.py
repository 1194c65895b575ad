"""The gateway: one graph over all services, API keys, and the door for files.

It owns the GraphQL schema, districts, keys and the HTML page of GraphiQL; it holds no attribute of a student. It
announces nothing and listens to nothing: it asks the services over REST, on behalf of the key that asked it.

Read `graph` for what can be asked, `view` for how a request is answered, `limits` for how much it may ask, `keys` for
who may ask, `files` for how files come in, `oneroster` and `oauth` for clients of OneRoster, and `main` for how it is
put together.
"""
