"""The sample: a small dataset of washers and cloth, rendered on first use."""
