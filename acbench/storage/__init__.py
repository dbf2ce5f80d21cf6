"""Tables, ledger, project files, safe access to files."""
