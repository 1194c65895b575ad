"""What gradebooks are made of, and how those who write to them say it. In this order: `values`, `kinds`, `bodies`."""
