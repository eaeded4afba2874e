"""The benchmark: figures S1 to S10, each a function that measures the product's own processes on a real broker."""
