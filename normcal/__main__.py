"""``python -m normcal``: the same program as the ``normcal`` command."""

from normcal.cli import main

if __name__ == "__main__":
    main()
