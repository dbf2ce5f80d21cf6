"""Keeps everything on disk: tables, the ledger, the files of a project; and reads untrusted folders safely."""
