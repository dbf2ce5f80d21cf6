"""Label Studio: a server of our own, and the way to any."""
