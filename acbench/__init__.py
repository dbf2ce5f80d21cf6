"""acbench turns anomaly-detection datasets into anomaly-classification benchmarks whose labels have reasons."""

__version__ = "0.1.0"
