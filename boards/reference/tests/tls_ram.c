// tls_ram PORT NAME ANCHORS: what RAM one key, one request and one TLS handshake take on mbedTLS.
//
// Writes a request to its output, reads the chain for it from its input, shakes hands with 127.0.0.1:PORT, and tells
// the peaks of the arena and of the stack on its last line. Both are those of this machine's 64-bit pointers.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/mbedtls/arena.h"
#include "port/mbedtls/port_tls_types.h"
#include "port/port_crypto.h"
#include "port/port_tls.h"

enum { STACK_BYTES = 256 * 1024, PAGE_BYTES = 4096, TEXT_BYTES = 12288, PAINT = 0xA5 };

static alignas(PAGE_BYTES) unsigned char stack[STACK_BYTES];
static struct port_tls tls;
static char anchors[TEXT_BYTES];
static char chain[TEXT_BYTES];

static enum port_result send_octets(void* context, const uint8_t* bytes, size_t size_bytes, size_t* sent_bytes) {
  const ssize_t sent = send(*(const int*)context, bytes, size_bytes, MSG_NOSIGNAL);
  *sent_bytes = sent < 0 ? 0 : (size_t)sent;
  return sent < 0 ? PORT_FAILED : PORT_OK;
}

static enum port_result receive_octets(void* context, uint8_t* bytes, size_t size_bytes, size_t* received_bytes) {
  const ssize_t received = recv(*(const int*)context, bytes, size_bytes, 0);
  *received_bytes = received < 0 ? 0 : (size_t)received;
  return received < 0 ? PORT_FAILED : received == 0 ? PORT_CLOSED : PORT_OK;
}

static _Noreturn void give_up(const char* what, const char* why) {
  fprintf(stderr, "tls_ram: %s: %s\n", what, why);
  exit(EXIT_FAILURE);
}

static void read_text(FILE* from, const char* name, char text[TEXT_BYTES]) {
  const size_t length = from == NULL ? 0 : fread(text, 1, TEXT_BYTES - 1, from);
  if (length == 0 || fgetc(from) != EOF) give_up(name, "cannot be read, or is too long");
  text[length] = '\0';
}

static int connect_to(const char* port) {
  const struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(descriptor, (const struct sockaddr*)&address, sizeof address) != 0) give_up(port, "cannot be reached");
  return descriptor;
}

static void* run(void* context) {
  char** arguments = context;
  uint8_t key[PORT_PRIVATE_KEY_BYTES];
  if (!port_crypto_make_key(key) || !port_crypto_make_request(key, PORT_REQUEST_SOUND, "unit-1", chain, sizeof chain)) {
    give_up("key and request", "failed");
  }
  const size_t crypto_peak_bytes = arena_peak_bytes();
  fputs(chain, stdout);
  fclose(stdout);
  read_text(stdin, "the chain", chain);
  int descriptor = connect_to(arguments[1]);
  const struct port_tls_config config = {
      .server_name = arguments[2],
      .verify_chain = true,
      .verify_name = arguments[2],
      .trust_anchors = anchors,
      .certificates = chain,
      .private_key = key,
      .transport = {&descriptor, send_octets, receive_octets},
  };
  if (port_tls_start(&tls, &config) != PORT_OK || port_tls_handshake(&tls) != PORT_OK) {
    give_up("the handshake", port_tls_error(&tls));
  }
  const size_t served_bytes = arena_used_bytes();
  port_tls_close(&tls);
  port_tls_stop(&tls);
  close(descriptor);
  fprintf(stderr, "object %zu request %zu handshake %zu served %zu left %zu ", sizeof tls, crypto_peak_bytes,
          arena_peak_bytes(), served_bytes, arena_used_bytes());
  return NULL;
}

int main(int argc, char** argv) {
  if (argc != 4) give_up("usage", "tls_ram PORT NAME ANCHORS < CHAIN");
  read_text(fopen(argv[3], "rb"), argv[3], anchors);
  memset(stack, PAINT, sizeof stack);
  pthread_attr_t attributes;
  pthread_t thread;
  pthread_attr_init(&attributes);
  if (pthread_attr_setstack(&attributes, stack, sizeof stack) != 0 ||
      pthread_create(&thread, &attributes, run, argv) != 0) {
    give_up("the thread", "cannot be made");
  }
  pthread_join(thread, NULL);
  size_t untouched = 0;
  while (stack[untouched] == PAINT) untouched++;
  fprintf(stderr, "stack %zu\n", sizeof stack - untouched);
  return EXIT_SUCCESS;
}
