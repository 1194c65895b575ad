"""The shared kernel: transactions, facts, buses, doors. It knows PostgreSQL and Kafka, and no student."""
