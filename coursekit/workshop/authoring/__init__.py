"""What an author runs: record, refresh, derive the exercises, build the site."""
