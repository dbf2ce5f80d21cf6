"""The foreign programs that acbench works with, one folder each. Only these modules import them."""
