"""How many may do something at a time, and who waits; knows neither gRPC nor git."""
