#!/usr/bin/python3
"""paho-mqtt as a device: publishes a counter at QoS 1 and is subscribed to its commands.

Debian's python3-paho-mqtt. The library resolves the endpoint's name, sends it as SNI and verifies it. Its loop is called here,
since in its own thread (loop_start) a TLS alert that comes after the handshake is an exception that ends the thread for good.
"""

import os
import random
import ssl
import time

import paho.mqtt.client as mqtt

PUBLISH_S = 0.5
FIRST_PAUSE_S, LAST_PAUSE_S = 0.1, 1
KEEP_ALIVE_S = 30


def said(text):
    print(text, flush=True)


def make_client():
    client = mqtt.Client(client_id=os.environ["HILMARK_CLIENT_ID"], clean_session=False, protocol=mqtt.MQTTv311)
    context = ssl.create_default_context(cafile=os.environ["HILMARK_ROOT_CA"])
    context.load_cert_chain(os.environ["HILMARK_CHAIN"], os.environ["HILMARK_KEY"])
    if os.environ["HILMARK_PORT"] == "443":
        context.set_alpn_protocols(["x-amzn-mqtt-ca"])
    client.tls_set_context(context)
    client.on_connect = on_connect
    return client


def on_connect(client, _data, flags, code):
    said(f"CONNACK {code}, session present {flags['session present']}")
    if code == 0:
        client.subscribe(os.environ["HILMARK_TOPIC"] + "/commands", qos=1)


def serve(client):
    """One connection, to its end; how it ended."""
    client.connect(os.environ["HILMARK_ENDPOINT"], int(os.environ["HILMARK_PORT"]), KEEP_ALIVE_S)
    next_publish = time.monotonic()
    while (code := client.loop(timeout=PUBLISH_S)) == mqtt.MQTT_ERR_SUCCESS:
        if client.is_connected() and time.monotonic() >= next_publish:
            next_publish = time.monotonic() + PUBLISH_S
            client.counter += 1
            client.publish(os.environ["HILMARK_TOPIC"], f'{{"counter":{client.counter}}}', qos=1)
    return mqtt.error_string(code)


def main():
    client = make_client()
    client.counter = 0
    pause = FIRST_PAUSE_S
    while True:
        started = time.monotonic()
        try:
            said(f"lost: {serve(client)}")
        except OSError as error:  # ssl.SSLError is one
            said(f"lost: {error}")
        if time.monotonic() - started >= LAST_PAUSE_S:
            pause = FIRST_PAUSE_S
        time.sleep(random.uniform(pause / 2, pause))
        pause = min(2 * pause, LAST_PAUSE_S)


if __name__ == "__main__":
    main()
