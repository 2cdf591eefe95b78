"""The languages of repositories and their licenses (commit.md 4, repository.md FindLicense).

`interface` is what services ask. The detector that is built in judges in a child process, `program`, whose
rules and data no worker ever loads.
"""
