"""What tests and benchmarks share. Only the module that needs a heavy library imports it."""
