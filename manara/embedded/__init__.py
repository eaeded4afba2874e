"""Real Apache Kafka and real PostgreSQL, started by this program without containers and without root."""
