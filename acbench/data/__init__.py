"""A dataset on disk as items; images, masks, regions, evidence."""
