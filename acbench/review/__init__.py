"""The queue, what people decide, and how a label is resolved."""
