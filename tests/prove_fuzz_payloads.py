"""Spoil every recorded payload many times and read the result: `python -m tests.prove_fuzz_payloads --runs 20000`."""

import argparse

from tests.venues.coinbase.spoil import campaign


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=20_000)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    read = campaign(asked.seed, asked.runs)
    print(f"{asked.runs} spoilt payloads of seed {asked.seed}: {read} could be read, the others were refused by name")


if __name__ == "__main__":
    main()
