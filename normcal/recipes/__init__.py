"""Recipes: problems of the literature by name, one a file."""
