"""Label Studio as the annotation tool: the client of any server, and a server for one project."""
