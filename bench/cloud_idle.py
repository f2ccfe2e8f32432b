#!/usr/bin/python3
"""Memory of idle TLS connections (handshake done, nothing said): hilmark's endpoint and Mosquitto's TLS listener.

Usage (from the project's root): bench/cloud_idle.py [CONNECTIONS]. Growth of VmRSS, divided by the connections."""

import resource
import sys

import cloud_servers


def main():
    connections = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with cloud_servers.Bench() as bench:
        context = bench.client(chain=True)
        cost = {}
        for server in (bench.ours, bench.start_mosquitto()):
            warm = [bench.connect(context, server) for _ in range(20)]
            before = server.rss_bytes()
            held = [bench.connect(context, server) for _ in range(connections)]
            cost[server.name] = (server.rss_bytes() - before) / len(held)
            print(f"{server.name:10} {cost[server.name] / 1024:7.1f} KiB of RSS for each of {len(held)} idle connections")
            for connection in held + warm:
                connection.close()
        print(f"hilmark ÷ mosquitto: {cost['hilmark'] / cost['mosquitto']:.2f}")


if __name__ == "__main__":
    main()
