"""What primaries and filters are like, as data: pacing, meaning of codes, cures, texts."""
