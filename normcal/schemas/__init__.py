"""JSON Schemas of what normcal reads and writes, one file each."""
