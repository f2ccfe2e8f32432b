// Changes the host_name of a ClientHello on its way out, for the defects sni-empty and sni-two-names: no TLS library
// sends such things.
// Transcripts differ from then on, so no handshake comes to a good end; a server has to refuse it anyway (RFC 6066 §3:
// HostName has at least one octet).
#ifndef BOARDS_REFERENCE_APP_HELLO_FILTER_H
#define BOARDS_REFERENCE_APP_HELLO_FILTER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// `record` holds one whole TLS record of `size_bytes`, a ClientHello (RFC 8446 §4.1.2). Answers the new size; the same,
// and nothing changed, if it is anything else or carries no host_name.
size_t hello_filter_empty_server_name(uint8_t* record, size_t size_bytes);

// The same, with a second host_name after the first: no TLS library sends that either. At most `room_bytes`.
size_t hello_filter_add_server_name(uint8_t* record, size_t size_bytes, size_t room_bytes);

#ifdef __cplusplus
}
#endif
#endif
