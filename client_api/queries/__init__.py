"""What the API reads from state storage: one room per resource, each query bounded and in one studio."""
