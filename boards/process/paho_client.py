#!/usr/bin/python3
"""paho-mqtt as a device: publishes a counter at QoS 1 and is subscribed to its commands, as the library's guide does it.

Debian's python3-paho-mqtt. The library resolves the endpoint's name, sends it as SNI and verifies it; it doubles its pause
between attempts itself, from reconnect_delay_set's first to its last.
"""

import os
import random
import ssl
import time

import paho.mqtt.client as mqtt

PUBLISH_S = 0.5
FIRST_PAUSE_S, LAST_PAUSE_S = 1, 2
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
    client.reconnect_delay_set(FIRST_PAUSE_S, LAST_PAUSE_S)
    client.on_connect = on_connect
    client.on_disconnect = lambda _client, _data, code: said(f"lost: {mqtt.error_string(code)}")
    return client


def on_connect(client, _data, flags, code):
    said(f"CONNACK {code}, session present {flags['session present']}")
    if code == 0:
        client.subscribe(os.environ["HILMARK_TOPIC"] + "/commands", qos=1)


def connect(client):
    """The library tries the first connection once; that it is made is its caller's business."""
    while True:
        try:
            client.connect(os.environ["HILMARK_ENDPOINT"], int(os.environ["HILMARK_PORT"]), KEEP_ALIVE_S)
            return
        except OSError as error:
            said(f"not connected: {error}")
            time.sleep(random.uniform(FIRST_PAUSE_S / 2, FIRST_PAUSE_S))


def main():
    client = make_client()
    connect(client)
    client.loop_start()
    counter = 0
    while True:
        time.sleep(PUBLISH_S)
        if client.is_connected():
            counter += 1
            client.publish(os.environ["HILMARK_TOPIC"], f'{{"counter":{counter}}}', qos=1)


if __name__ == "__main__":
    main()
