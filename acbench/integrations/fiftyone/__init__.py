"""The FiftyOne App: a benchmark as a dataset there, its layout, its server."""
