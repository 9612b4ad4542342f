"""Models in files: texts and tables of other tools, read whole or refused."""
