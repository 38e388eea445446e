"""What a generated file may hold, one kind a file."""
