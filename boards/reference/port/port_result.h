// What a port call that may not block can answer.
#ifndef BOARDS_REFERENCE_PORT_PORT_RESULT_H
#define BOARDS_REFERENCE_PORT_PORT_RESULT_H

#ifdef __cplusplus
extern "C" {
#endif

enum port_result {
  PORT_OK,      // done, or bytes were moved
  PORT_AGAIN,   // nothing to do yet: wait with port_wait(), then call again
  PORT_CLOSED,  // the peer ended the stream in good order
  PORT_FAILED,  // it broke; where the header offers one, a text says why
};

#ifdef __cplusplus
}
#endif
#endif
