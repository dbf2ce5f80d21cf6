"""First editions: what is known of the labels of each bundled benchmark."""
