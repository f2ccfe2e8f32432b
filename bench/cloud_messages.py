#!/usr/bin/python3
"""Messages over TLS from one device to another: hilmark's endpoint with its broker, and the same broker's own TLS listener.

Usage (from the project's root): bench/cloud_messages.py [SECONDS] [ROUNDS]. The servers take turns; medians of the rounds.
Messages per second depend on what else the machine does; the server's CPU time, read from /proc (with the broker behind the
endpoint), hardly does."""

import collections
import statistics
import subprocess
import sys

import cloud_servers

Measured = collections.namedtuple("Measured", "rate cpu_us")


def flow(bench, server, qos, payload_bytes, seconds):
    """A flow of messages for that long: how many a second, and microseconds of the server's CPU for each."""
    before = server.cpu_seconds()
    output = subprocess.run(["build/hilmark_bench_cloud_messages", bench.folder, str(server.port), str(qos), str(payload_bytes),
                             str(seconds)], capture_output=True, text=True, check=True).stdout
    count, took = output.split()
    return Measured(int(count) / float(took), (server.cpu_seconds() - before) / int(count) * 1e6)


def compare(bench, servers, load, seconds, rounds):
    """Per server's name its medians; and the medians of hilmark ÷ mosquitto."""
    for server in servers:
        flow(bench, server, *load, 0.3)
    turns = [[flow(bench, server, *load, seconds) for server in servers] for _ in range(rounds)]
    medians = [Measured(*map(statistics.median, zip(*(turn[i] for turn in turns)))) for i in range(len(servers))]
    ratio = Measured(*(statistics.median(ours[i] / theirs[i] for ours, theirs in turns) for i in range(2)))
    return medians, ratio


def main():
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with cloud_servers.Bench() as bench:
        servers = [bench.ours, bench.start_mosquitto()]
        for load in ((0, 64), (0, 1024), (1, 64), (1, 1024)):
            medians, ratio = compare(bench, servers, load, seconds, rounds)
            print(f"QoS {load[0]}, {load[1]} octets:")
            for server, measured in zip(servers, medians):
                print(f"  {server.name:10} {measured.rate:8.0f} messages/s, {measured.cpu_us:6.1f} µs of CPU a message")
            print(f"  hilmark ÷ mosquitto: {ratio.rate:.2f} messages/s, {ratio.cpu_us:.2f} CPU")


if __name__ == "__main__":
    main()
