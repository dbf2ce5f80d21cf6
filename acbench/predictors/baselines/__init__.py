"""Systems to be beaten: each says what every image of a test split shows. One file a baseline."""
