"""`unit` runs in one process, in under two minutes; `system` starts servers, browsers, commands; `bench` measures."""
