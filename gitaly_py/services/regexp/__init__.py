"""Regular expressions of RE2's syntax that match in linear time, whatever the expression (repository.md).

Only whether something matches is asked for, so groups, laziness and the leftmost match make no difference.
"""
