"""The baselines of the benchmark, one module each: each answers for every image of a test split."""
