"""Reading objects and references: one interface, in process where libgit2 can, by git processes elsewhere."""
