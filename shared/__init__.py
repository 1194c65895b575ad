"""The shared kernel: transactions, facts, buses, doors. It knows PostgreSQL and Kafka; it has never heard of a student."""
