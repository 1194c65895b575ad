"""What a command says when it cannot use what it was given."""


class Refused(Exception):
    """A file or an option cannot be used as it is; the message is one sentence that names the place. Exit code 2."""
