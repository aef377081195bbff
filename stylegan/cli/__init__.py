"""The command line: one verb a file. Each parses, calls the library and shows the result."""
