#!/usr/bin/python3
"""Server CPU time of a full mutual TLS handshake on P-256: hilmark's endpoint, Mosquitto's TLS listener, openssl s_server.

Usage (from the project's root): bench/cloud_handshake.py [HANDSHAKES] [ROUNDS]. The servers take turns; medians of the rounds.
Read from /proc, so that other load on the machine matters little. Each connection ends as soon as its handshake is done on
both ends; whose device it is, the endpoint asks its registry only after CONNECT, which is not part of this."""

import re
import socket
import ssl
import statistics
import subprocess
import sys

import cloud_servers


def cost(bench, context, server, handshakes):
    """Microseconds of the server's CPU a handshake."""
    before = server.cpu_seconds()
    for _ in range(handshakes):
        with bench.connect(context, server) as connection:
            # The server has finished the handshake when it has answered this with its own end.
            try:
                socket.socket.shutdown(connection, socket.SHUT_WR)
                while socket.socket.recv(connection, 65536):
                    pass
            except OSError:
                pass
    return (server.cpu_seconds() - before) / handshakes * 1e6


def floor():
    """The arithmetic alone: X25519 key and secret, one signature, two verifications (CertificateVerify, the leaf)."""
    output = subprocess.run(["openssl", "speed", "-seconds", "1", "ecdsap256", "ecdhx25519"], capture_output=True, text=True,
                            check=True).stdout
    sign, verify = map(float, re.search(r"nistp256\)\s+\S+s\s+\S+s\s+(\S+)\s+(\S+)", output).groups())
    exchange = float(re.search(r"X25519\)\s+\S+s\s+(\S+)", output).group(1))
    return (1 / sign + 2 / verify + 2 / exchange) * 1e6


def evidence():
    """Microseconds that a handshake's evidence takes, by whether the device sends its chain."""
    output = subprocess.run(["build/hilmark_bench_cloud_evidence"], capture_output=True, text=True, check=True).stdout
    return dict(zip((False, True), map(float, output.split())))


def main():
    handshakes = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    with cloud_servers.Bench() as bench:
        evidence_us = evidence()
        servers = [bench.ours, bench.start_mosquitto(), bench.start_s_server()]
        for version, chain in ((ssl.TLSVersion.TLSv1_3, False), (ssl.TLSVersion.TLSv1_3, True), (ssl.TLSVersion.TLSv1_2, False)):
            context = bench.client(chain, version)
            for server in servers:
                cost(bench, context, server, 50)
            costs = {server.name: [] for server in servers}
            for _ in range(rounds):
                for server in servers:
                    costs[server.name].append(cost(bench, context, server, handshakes))
            ours = costs["hilmark"]
            print(f"{version.name}, the device sends {'leaf and issuing CA' if chain else 'its leaf alone'}:")
            for name, values in costs.items():
                ratio = statistics.median(a / b for a, b in zip(ours, values))
                compared = "" if name == "hilmark" else f";  hilmark ÷ {name}: {ratio:.2f}"
                print(f"  {name:10} {statistics.median(values):7.0f} µs of CPU a handshake (min {min(values):.0f}, max "
                      f"{max(values):.0f}){compared}")
            share = evidence_us[chain] / statistics.median(ours)
            print(f"  evidence in it: {evidence_us[chain]:.0f} µs, {share:.1%} (aim: 5 % at most)")
    print(f"  the arithmetic alone (openssl speed): {floor():.0f} µs")


if __name__ == "__main__":
    main()
