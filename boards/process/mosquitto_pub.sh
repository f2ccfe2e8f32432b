#!/bin/sh
# mosquitto_pub in a loop: a device on a stack that the rig's makers did not write. It resolves the endpoint's name as any
# program does, and tries again a moment after each end, as the guide of its makers does.
alpn=
[ "$HILMARK_PORT" = 443 ] && alpn="--tls-alpn x-amzn-mqtt-ca"
while :; do
  # shellcheck disable=SC2086  # two words, or none
  mosquitto_pub $alpn --host "$HILMARK_ENDPOINT" --port "$HILMARK_PORT" --protocol-version mqttv311 \
    --cafile "$HILMARK_ROOT_CA" --cert "$HILMARK_CHAIN" --key "$HILMARK_KEY" \
    --id "$HILMARK_CLIENT_ID" --topic "$HILMARK_TOPIC" --qos 1 --message hello --repeat 1000000 --repeat-delay 1
  sleep 0.2
done
