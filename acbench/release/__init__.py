"""What a release consists of, how it is built, checked, uploaded and compared."""
