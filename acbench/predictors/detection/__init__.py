"""Where an image is anomalous."""
