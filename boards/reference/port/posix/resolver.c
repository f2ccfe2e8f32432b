#include "port/posix/resolver.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/port_net.h"

static void* look_up(void* context) {
  struct posix_lookup* lookup = context;
  const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
  struct addrinfo* found = NULL;
  lookup->error = getaddrinfo(lookup->name, NULL, &hints, &found);
  if (lookup->error == 0) {
    struct sockaddr_in address;
    memcpy(&address, found->ai_addr, sizeof address);
    lookup->ipv4 = ntohl(address.sin_addr.s_addr);
    freeaddrinfo(found);
  }
  const uint64_t one = 1;
  const int wake = lookup->wake;
  atomic_store(&lookup->state, lookup->error == 0 ? LOOKUP_FOUND : LOOKUP_FAILED);
  return write(wake, &one, sizeof one) < 0 ? NULL : lookup;
}

static struct posix_lookup* free_lookup(struct port_net* net) {
  for (int i = 0; i < POSIX_LOOKUPS; i++) {
    struct posix_lookup* lookup = &net->lookups[i];
    const int state = atomic_load(&lookup->state);
    if (state == LOOKUP_FREE || (state != LOOKUP_ASKING && lookup->dropped)) return lookup;
  }
  return NULL;
}

static enum port_result failed(struct port_net* net, const char* why) {
  snprintf(net->error, sizeof net->error, "resolve: %s", why);
  return PORT_FAILED;
}

enum port_result port_net_resolve_start(struct port_net* net, const char* name) {
  resolver_drop(net);
  struct posix_lookup* lookup = free_lookup(net);
  if (lookup == NULL) return failed(net, "earlier questions are still open");
  snprintf(lookup->name, sizeof lookup->name, "%s", name);
  lookup->wake = net->wake;
  lookup->dropped = false;
  atomic_store(&lookup->state, LOOKUP_ASKING);
  pthread_t thread;
  if (pthread_create(&thread, NULL, look_up, lookup) != 0) {
    atomic_store(&lookup->state, LOOKUP_FREE);
    return failed(net, "no thread");
  }
  pthread_detach(thread);
  net->asked = lookup;
  return PORT_AGAIN;
}

enum port_result port_net_resolve_poll(struct port_net* net, uint32_t* ipv4) {
  struct posix_lookup* lookup = net->asked;
  if (lookup == NULL) return failed(net, "nothing was asked");
  const int state = atomic_load(&lookup->state);
  if (state == LOOKUP_ASKING) return PORT_AGAIN;
  *ipv4 = lookup->ipv4;
  const int error = lookup->error;
  net->asked = NULL;
  atomic_store(&lookup->state, LOOKUP_FREE);
  return state == LOOKUP_FOUND ? PORT_OK : failed(net, gai_strerror(error));
}

void resolver_drop(struct port_net* net) {
  if (net->asked == NULL) return;
  net->asked->dropped = true;
  net->asked = NULL;
}
