"""Apache Kafka on one machine without Docker: the jars by Maven, KRaft settings, start and stop."""
