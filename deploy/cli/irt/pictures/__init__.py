"""Pictures of the reports, one module per command."""
