"""The contract on the wire: Avro schemas, codec, signature, catalogue and rules, as pure functions without I/O."""
