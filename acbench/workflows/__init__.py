"""The steps of a benchmark, one module each: what they need of the outside world is passed in."""
