"""`python -m acbench.testing` prints the URL of a fake LLM endpoint, and serves it until the process is ended."""

from __future__ import annotations

import argparse
import time

from acbench._util.waiting import MOMENT
from acbench.testing.behaviours import BEHAVIOURS, behave
from acbench.testing.endpoint import FakeEndpoint


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description="Serve a fake OpenAI-compatible endpoint on loopback.")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--behaviour", choices=BEHAVIOURS, help="how it behaves; by default well, and blind")
    chosen = parser.parse_args()
    with FakeEndpoint(latency=chosen.latency) as endpoint:
        if chosen.behaviour:
            behave(endpoint, chosen.behaviour)
        print(endpoint.url, flush=True)
        while True:
            time.sleep(MOMENT)


if __name__ == "__main__":
    main()
