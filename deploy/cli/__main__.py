"""`python -m deploy.cli` is `trellis`."""

from deploy.cli.main import main

main()
