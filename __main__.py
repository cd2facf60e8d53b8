"""``python -m signature_gate`` is the command ``signature-gate``."""

from .flows.cli.main import main

if __name__ == "__main__":
    main()
