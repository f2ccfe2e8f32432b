// The names of TLS alerts as RFC 8446 §6 writes them; each library has spellings of its own, or none.
#ifndef BOARDS_REFERENCE_PORT_TLS_ALERTS_H
#define BOARDS_REFERENCE_PORT_TLS_ALERTS_H

// "unnamed" if there is none.
const char* tls_alert_name(int code);

#endif
