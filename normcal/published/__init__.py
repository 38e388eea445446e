"""The published constants: one YAML file a framework or source group, found because it exists."""
