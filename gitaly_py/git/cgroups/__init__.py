"""Control groups: what git processes may use of the machine, all together and for each repository.

files → version1, version2 → groups, metrics (daemon.md 6.7).
"""
