"""The proposers, one module each: the dataset's own labels, models, and other people's tables."""
