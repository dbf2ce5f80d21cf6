"""Small helpers that know nothing of benchmarks."""
