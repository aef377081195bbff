"""Data sets in tar shards, on disk or behind a URL: written, fetched through a bounded cache, read."""
