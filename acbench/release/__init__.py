"""What a release consists of, as those who make, upload, check and compare it agree on it."""
