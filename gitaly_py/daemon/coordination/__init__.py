"""The process that holds what all workers share: limiters, and the ledger of packs. Each end is a module."""
