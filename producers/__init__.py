"""The agency side: write, check, sign and publish alerts through a durable outbox."""
