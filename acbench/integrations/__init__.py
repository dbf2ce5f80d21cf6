"""Each foreign world behind one door: models, servers, hubs. Only these modules import them."""
