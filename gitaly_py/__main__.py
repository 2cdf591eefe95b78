"""`python -m gitaly_py` is the command `gitaly-py`."""

from gitaly_py.cli import main

main(prog_name="gitaly-py")
