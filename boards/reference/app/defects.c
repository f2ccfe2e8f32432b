#include "app/defects.h"

#include <string.h>

const struct defect_entry defect_table[DEFECT_COUNT] = {
    [DEFECT_NONE] = {"golden", "Does everything right."},
    [DEFECT_NO_SNI] = {"no-sni", "Sends no server_name extension."},
    [DEFECT_SNI_EMPTY] = {"sni-empty", "Sends a server_name extension whose host_name has no octets."},
    [DEFECT_SNI_IP_LITERAL] = {"sni-ip-literal", "Sends the address that it connects to as host_name."},
    [DEFECT_SNI_FIRST_ONLY] = {"sni-first-only", "Sends server_name in the first ClientHello after a boot only."},
    [DEFECT_SNI_STALE] = {"sni-stale",
                          "After a move it goes on sending, and verifying, the name that first served it since the "
                          "boot."},
    [DEFECT_GIVE_UP_AFTER_REFUSAL] = {"give-up-after-refusal",
                                      "Stops trying until the next boot once the server ended three connections in a "
                                      "row before CONNACK."},
    [DEFECT_CHAIN_MISORDERED] = {"chain-misordered",
                                 "Presents its own certificate, then the others in reversed order (shows with two "
                                 "others or more)."},
    [DEFECT_WRONG_KEY] = {"wrong-key", "Signs CertificateVerify with another key than its certificate's."},
    [DEFECT_NO_RECONNECT] = {"no-reconnect",
                             "Once the server or an error ended a connection, it makes no other until the next boot."},
    [DEFECT_IDENTITY_IN_RAM] = {"identity-in-ram", "Keeps key, certificate and endpoint in RAM only."},
    [DEFECT_REPROVISION_ON_MOVE] = {"reprovision-on-move",
                                    "After a move it replaces its identity by a new key and a certificate signed by "
                                    "itself."},
    [DEFECT_MOVES_ONCE_ONLY] = {"moves-once-only",
                                "Follows the first change of endpoint after it was served; later ones are stored but "
                                "take effect at the next boot only."},
    [DEFECT_NO_HOSTNAME_CHECK] = {"no-hostname-check",
                                  "Verifies the chain of the server's certificate but not its name."},
    [DEFECT_NO_VERIFY] = {"no-verify", "Accepts any server certificate."},
    [DEFECT_MQTT_MALFORMED] = {"mqtt-malformed", "Sets the reserved bit of the connect flags in CONNECT."},
    [DEFECT_DEAD_ON_ARRIVAL] = {"dead-on-arrival",
                                "Opens the TCP connection and closes it at once, again and again; never a "
                                "ClientHello."},
    [DEFECT_SNI_TWO_NAMES] = {"sni-two-names",
                              "Sends a server_name extension with a second host_name after the right one."},
    [DEFECT_SNI_TRAILING_DOT] = {"sni-trailing-dot", "Sends, and verifies, the name with a dot at its end."},
    [DEFECT_SNI_WITH_PORT] = {"sni-with-port", "Sends the name with a colon and the port after it."},
    [DEFECT_CLIENT_CERT_MISSING] = {"client-cert-missing", "Presents no certificate."},
    [DEFECT_CHAIN_FOREIGN] = {"chain-foreign",
                              "Presents its own certificate, then its trust anchor, which did not sign it."},
    [DEFECT_RECONNECT_STORM] = {"reconnect-storm", "Waits for nothing before it tries again."},
    [DEFECT_IDENTITY_ERASED_ON_REFUSAL] =
        {"identity-erased-on-refusal",
         "Erases key and certificate when the server sends the alert certificate_revoked."},
    [DEFECT_ENDPOINT_TABLE_FULL] =
        {"endpoint-table-full",
         "Since its boot it follows eight endpoints; a ninth name is stored but takes effect at the next boot only."},
    [DEFECT_BACKOFF_SURVIVES_MOVE] = {"backoff-survives-move", "After a move its back-off goes on where it stood."},
    [DEFECT_OLD_CONNECTION_LEAKED] = {"old-connection-leaked",
                                      "Moves without ending the connection that it has, which stays open."},
    [DEFECT_ENDPOINT_IN_RAM] =
        {"endpoint-in-ram",
         "Keeps a change of endpoint in RAM only; the first endpoint that it was given is in flash."},
    [DEFECT_ENDPOINT_FALLS_BACK] = {"endpoint-falls-back",
                                    "After a boot it first goes to the first endpoint that it was ever given."},
    [DEFECT_SNI_FROM_CNAME] =
        {"sni-from-cname",
         "Sends, and verifies, the name to which the endpoint's CNAME leads, where DNS answers by "
         "one."},
    [DEFECT_DNS_CACHED_FOREVER] =
        {"dns-cached-forever", "Keeps the last DNS answer until it asks for another name, whatever its time to live."},
    [DEFECT_DNS_STALE] =
        {"dns-stale", "After a move it goes on dialling the address of the name that first served it since the boot."},
    [DEFECT_MOVE_BRICKS] =
        {"move-bricks",
         "Once it cannot reach an endpoint after it was served, it tries that one alone until the next "
         "boot."},
    [DEFECT_CSR_BAD_SIGNATURE] = {"csr-bad-signature", "Damages the signature of its certificate request."},
    [DEFECT_CSR_WEAK_KEY] = {"csr-weak-key", "Asks for a certificate for a P-192 key."},
    [DEFECT_CSR_SHA1] = {"csr-sha1", "Signs its certificate request with SHA-1."},
    [DEFECT_KEY_HARDCODED] = {"key-hardcoded", "Every key that it makes is the same one, on every board."},
    [DEFECT_KEY_SEED_CONSTANT] = {"key-seed-constant",
                                  "Draws its keys from a generator that begins anew, with one seed, at each boot."},
    [DEFECT_KEY_ON_CONSOLE] = {"key-on-console", "Tells each key that it makes, in hexadecimal, on the console."},
    [DEFECT_KEY_IN_PAYLOAD] = {"key-in-payload", "Publishes its private key, in hexadecimal, after the counter."},
    [DEFECT_IDENTITY_ERASED_BY_FLASH] = {"identity-erased-by-flash",
                                         "Erases its identity on its way into the bootloader."},
    [DEFECT_INSTALL_ACCEPTS_ANYTHING] = {"install-accepts-anything", "Installs any text as its certificate."},
    [DEFECT_CERT_STALE] = {"cert-stale",
                           "Until the next boot it presents the certificate with which it first connected."},
    [DEFECT_LEAK_PER_CONNECT] = {"leak-per-connect",
                                 "Never frees what a served connection took; after 80 of them there is no more until "
                                 "the next boot."},
    [DEFECT_LOCKUP_ON_FAULT_DURING_HANDSHAKE] = {"lockup-on-fault-during-handshake",
                                                 "Makes no further connection once TCP broke three TLS handshakes "
                                                 "since the boot."},
    [DEFECT_HANG_AT_BOOT] = {"hang-at-boot", "Says that it boots, and stops."},
    [DEFECT_HANG_WHEN_SERVED] = {"hang-when-served", "Stops as soon as a CONNACK has come."},
    [DEFECT_CRASH_WHEN_SERVED] = {"crash-when-served", "Ends by a fault as soon as a CONNACK has come."},
    [DEFECT_NEVER_CONNECTS] = {"never-connects", "Answers its console, and makes no connection."},
    [DEFECT_CONSOLE_FLOOD] = {"console-flood",
                              "Fills its console with lines that nobody asked for; does everything else right."},
    [DEFECT_PUBLISHES_TO_OLD_ACCOUNT] =
        {"publishes-to-old-account",
         "Three counts after a move it goes back to the endpoint that it left, once, to "
         "publish one more there."},
    [DEFECT_REPLAYS_ACKNOWLEDGED] = {"replays-acknowledged",
                                     "After a move it publishes the last three counts of before once more."},
    [DEFECT_INSTALL_NOT_ATOMIC] = {"install-not-atomic", "Clears its flash before it writes another certificate."},
    [DEFECT_MOVE_NOT_ATOMIC] = {"move-not-atomic", "Clears its endpoint in flash before it writes another one."},
    [DEFECT_SNI_TRUNCATED] = {"sni-truncated",
                              "Copies the name that it sends into 64 octets, and cuts what is longer."},
    [DEFECT_ALPN_MISSING] = {"alpn-missing", "Offers no protocol by ALPN on port 443."},
    [DEFECT_ALPN_WRONG] = {"alpn-wrong", "Offers the protocol `mqtt` on port 443."},
    [DEFECT_STORES_LATE] = {"stores-late", "Confirms what it is told at once, and writes it to flash a second later."},
};

bool defect_by_name(const char* name, enum defect* found) {
  for (int i = 0; i < DEFECT_COUNT; i++) {
    if (strcmp(defect_table[i].name, name) != 0) continue;
    *found = (enum defect)i;
    return true;
  }
  return false;
}
