// "Refuses a server that presents this": what TLS-04, TLS-06 and SNI-12 have in common.
#pragma once

#include "suites/bench.h"

namespace hilmark::suites {

struct Impostor {
  const char* name;  ///< what it presents: "label before"
  pki::ServerCredentialRequest request;
};

/// Control before and after: the good certificate, with a chain of the same shape, is accepted. Delivery: the deviating
/// flight was acknowledged. What follows: an alert and/or a close, nothing else.
void expect_refusal(Bench& bench, const Impostor& impostor);

}  // namespace hilmark::suites
