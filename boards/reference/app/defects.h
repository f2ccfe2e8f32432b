// The seeded defects: named faults, compiled in, one of them chosen by the image's trailer.
#ifndef BOARDS_REFERENCE_APP_DEFECTS_H
#define BOARDS_REFERENCE_APP_DEFECTS_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum defect {
  DEFECT_NONE,
  DEFECT_NO_SNI,
  DEFECT_SNI_EMPTY,
  DEFECT_SNI_IP_LITERAL,
  DEFECT_SNI_FIRST_ONLY,
  DEFECT_SNI_STALE,
  DEFECT_GIVE_UP_AFTER_REFUSAL,
  DEFECT_CHAIN_MISORDERED,
  DEFECT_WRONG_KEY,
  DEFECT_NO_RECONNECT,
  DEFECT_IDENTITY_IN_RAM,
  DEFECT_REPROVISION_ON_MOVE,
  DEFECT_MOVES_ONCE_ONLY,
  DEFECT_NO_HOSTNAME_CHECK,
  DEFECT_NO_VERIFY,
  DEFECT_MQTT_MALFORMED,
  DEFECT_DEAD_ON_ARRIVAL,
  DEFECT_SNI_TWO_NAMES,
  DEFECT_SNI_TRAILING_DOT,
  DEFECT_SNI_WITH_PORT,
  DEFECT_CLIENT_CERT_MISSING,
  DEFECT_CHAIN_FOREIGN,
  DEFECT_RECONNECT_STORM,
  DEFECT_IDENTITY_ERASED_ON_REFUSAL,
  DEFECT_ENDPOINT_TABLE_FULL,
  DEFECT_BACKOFF_SURVIVES_MOVE,
  DEFECT_OLD_CONNECTION_LEAKED,
  DEFECT_ENDPOINT_IN_RAM,
  DEFECT_ENDPOINT_FALLS_BACK,
  DEFECT_CSR_BAD_SIGNATURE,
  DEFECT_CSR_WEAK_KEY,
  DEFECT_CSR_SHA1,
  DEFECT_KEY_HARDCODED,
  DEFECT_KEY_SEED_CONSTANT,
  DEFECT_KEY_ON_CONSOLE,
  DEFECT_KEY_IN_PAYLOAD,
  DEFECT_IDENTITY_ERASED_BY_FLASH,
  DEFECT_INSTALL_ACCEPTS_ANYTHING,
  DEFECT_CERT_STALE,
  DEFECT_COUNT,
};

struct defect_entry {
  const char* name;      // as the trailer has it
  const char* sentence;  // what it does
};

// Indexed by enum defect; the first is "golden".
extern const struct defect_entry defect_table[DEFECT_COUNT];

// False if there is no defect of that name.
bool defect_by_name(const char* name, enum defect* found);

#ifdef __cplusplus
}
#endif
#endif
