"""Those who say what an image shows: the dataset itself, models, other people's tables. One file a proposer."""
