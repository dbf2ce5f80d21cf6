"""From labels to a release: its tables, its card, and the one commit that makes it public."""
