// Names, each asked for on a thread of its own. See port_net.h for start and poll.
#ifndef BOARDS_REFERENCE_PORT_POSIX_RESOLVER_H
#define BOARDS_REFERENCE_PORT_POSIX_RESOLVER_H

#include "port/posix/port_types.h"

// Forgets the question, if there is one; its answer will be nobody's.
void resolver_drop(struct port_net* net);

#endif
