"""What clients are told of a repository before they fetch: capabilities and references."""
