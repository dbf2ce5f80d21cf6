"""The FiftyOne App: a benchmark as a dataset there, its look, its server."""
