"""The networks of the papers, one generation per file, and what they share."""
