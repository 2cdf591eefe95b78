"""Where the output of git goes: a side channel as it is, side-band packets on one, or response messages."""
