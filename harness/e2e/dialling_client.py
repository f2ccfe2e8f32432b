#!/usr/bin/python3
"""A device that dials the address that it is told, and asks no name server: for end-to-end tests."""

import os
import socket
import ssl
import time

import mqtt


def serve():
    context = ssl.create_default_context(cafile=os.environ["HILMARK_ROOT_CA"])
    context.load_cert_chain(os.environ["HILMARK_CHAIN"], os.environ["HILMARK_KEY"])
    address = (os.environ["HILMARK_CONNECT_ADDRESS"], int(os.environ["HILMARK_PORT"]))
    with socket.create_connection(address, timeout=5) as plain:
        with context.wrap_socket(plain, server_hostname=os.environ["HILMARK_ENDPOINT"]) as connection:
            connection.sendall(mqtt.connect(os.environ["HILMARK_CLIENT_ID"]))
            connection.settimeout(None)
            while connection.recv(4096):
                pass


while True:
    try:
        serve()
    except OSError as error:
        print(f"lost: {error}", flush=True)
    time.sleep(0.2)
