#include "port/posix/resolver.h"

#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/port_net.h"

enum { ANSWER_BYTES = 4096, QUERY_TIMEOUT_S = 1, QUERY_TRIES = 2, DNS_PORT = 53 };

// As the system does it, which does not tell for how long the answer holds.
static void ask_system(struct posix_lookup* lookup) {
  const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
  struct addrinfo* found = NULL;
  const int error = getaddrinfo(lookup->name, NULL, &hints, &found);
  if (error != 0) {
    lookup->error = gai_strerror(error);
    return;
  }
  struct sockaddr_in address;
  memcpy(&address, found->ai_addr, sizeof address);
  lookup->answer.ipv4 = ntohl(address.sin_addr.s_addr);
  freeaddrinfo(found);
}

// What the answer's records say. The shortest time to live holds for all of them.
static void read_answer(struct posix_lookup* lookup, const unsigned char* octets, int size_bytes) {
  struct port_net_answer* answer = &lookup->answer;
  ns_msg message;
  lookup->error = "no address in the answer";
  if (ns_initparse(octets, size_bytes, &message) != 0) return;
  answer->ttl_s = UINT32_MAX;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); i++) {
    ns_rr record;
    if (ns_parserr(&message, ns_s_an, i, &record) != 0) return;
    if (ns_rr_ttl(record) < answer->ttl_s) answer->ttl_s = ns_rr_ttl(record);
    if (ns_rr_type(record) == ns_t_cname) {
      ns_name_uncompress(ns_msg_base(message), ns_msg_end(message), ns_rr_rdata(record), answer->canonical_name,
                         sizeof answer->canonical_name);
    } else if (ns_rr_type(record) == ns_t_a && ns_rr_rdlen(record) == sizeof answer->ipv4) {
      memcpy(&answer->ipv4, ns_rr_rdata(record), sizeof answer->ipv4);
      answer->ipv4 = ntohl(answer->ipv4);
      lookup->error = NULL;
    }
  }
}

static void ask_server(struct posix_lookup* lookup) {
  struct __res_state resolver = {0};
  if (res_ninit(&resolver) != 0) {
    lookup->error = "no memory for a question";
    return;
  }
  const struct sockaddr_in server = {
      .sin_family = AF_INET, .sin_port = htons(DNS_PORT), .sin_addr.s_addr = htonl(lookup->server_ipv4)};
  resolver.nsaddr_list[0] = server;
  resolver.nscount = 1;
  resolver.retrans = QUERY_TIMEOUT_S;
  resolver.retry = QUERY_TRIES;
  unsigned char octets[ANSWER_BYTES];
  const int size_bytes = res_nquery(&resolver, lookup->name, ns_c_in, ns_t_a, octets, sizeof octets);
  if (size_bytes < 0) {
    lookup->error = hstrerror(resolver.res_h_errno);
  } else {
    read_answer(lookup, octets, size_bytes < ANSWER_BYTES ? size_bytes : ANSWER_BYTES);
  }
  res_nclose(&resolver);
}

static void* look_up(void* context) {
  struct posix_lookup* lookup = context;
  if (lookup->server_ipv4 == 0) {
    ask_system(lookup);
  } else {
    ask_server(lookup);
  }
  const uint64_t one = 1;
  const int wake = lookup->wake;
  atomic_store(&lookup->state, lookup->error == NULL ? LOOKUP_FOUND : LOOKUP_FAILED);
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

enum port_result port_net_resolve_start(struct port_net* net, const char* name, uint32_t server_ipv4) {
  resolver_drop(net);
  struct posix_lookup* lookup = free_lookup(net);
  if (lookup == NULL) return failed(net, "earlier questions are still open");
  snprintf(lookup->name, sizeof lookup->name, "%s", name);
  lookup->server_ipv4 = server_ipv4;
  lookup->error = NULL;
  lookup->answer = (struct port_net_answer){0};
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

enum port_result port_net_resolve_poll(struct port_net* net, struct port_net_answer* answer) {
  struct posix_lookup* lookup = net->asked;
  if (lookup == NULL) return failed(net, "nothing was asked");
  const int state = atomic_load(&lookup->state);
  if (state == LOOKUP_ASKING) return PORT_AGAIN;
  *answer = lookup->answer;
  const char* error = lookup->error;
  net->asked = NULL;
  atomic_store(&lookup->state, LOOKUP_FREE);
  return state == LOOKUP_FOUND ? PORT_OK : failed(net, error);
}

void resolver_drop(struct port_net* net) {
  if (net->asked == NULL) return;
  net->asked->dropped = true;
  net->asked = NULL;
}
