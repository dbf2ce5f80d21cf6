"""The Hugging Face Hub and `datasets`, and Croissant metadata."""
