// TCP on non-blocking sockets.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "port/port_net.h"
#include "port/posix/port_types.h"
#include "port/posix/resolver.h"

static enum port_result failed(struct port_net* net, const char* what, int error) {
  snprintf(net->error, sizeof net->error, "%s: %s", what, strerror(error));
  return PORT_FAILED;
}

enum port_result port_net_connect_start(struct port_net* net, uint32_t ipv4, uint16_t port) {
  port_net_close(net);
  net->socket = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (net->socket < 0) return failed(net, "socket", errno);
  const int on = 1;
  setsockopt(net->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(ipv4)};
  if (connect(net->socket, (const struct sockaddr*)&address, sizeof address) == 0) return PORT_OK;
  return errno == EINPROGRESS || errno == EINTR ? PORT_AGAIN : failed(net, "connect", errno);
}

enum port_result port_net_connect_poll(struct port_net* net) {
  int error = 0;
  socklen_t size_bytes = sizeof error;
  if (getsockopt(net->socket, SOL_SOCKET, SO_ERROR, &error, &size_bytes) != 0) error = errno;
  if (error != 0) return failed(net, "connect", error);
  struct sockaddr_in peer;
  socklen_t peer_bytes = sizeof peer;
  if (getpeername(net->socket, (struct sockaddr*)&peer, &peer_bytes) == 0) return PORT_OK;
  return errno == ENOTCONN ? PORT_AGAIN : failed(net, "connect", errno);
}

enum port_result port_net_send(struct port_net* net, const uint8_t* bytes, size_t size_bytes, size_t* sent_bytes) {
  *sent_bytes = 0;
  const ssize_t sent = send(net->socket, bytes, size_bytes, MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR ? PORT_AGAIN : failed(net, "send", errno);
  *sent_bytes = (size_t)sent;
  return sent == 0 ? PORT_AGAIN : PORT_OK;
}

enum port_result port_net_receive(struct port_net* net, uint8_t* bytes, size_t size_bytes, size_t* received_bytes) {
  *received_bytes = 0;
  const ssize_t received = recv(net->socket, bytes, size_bytes, 0);
  if (received < 0) return errno == EAGAIN || errno == EINTR ? PORT_AGAIN : failed(net, "receive", errno);
  *received_bytes = (size_t)received;
  return received == 0 ? PORT_CLOSED : PORT_OK;
}

void port_net_abandon(struct port_net* net) { net->socket = -1; }

void port_net_close(struct port_net* net) {
  resolver_drop(net);
  if (net->socket < 0) return;
  // A socket closed with bytes unread sends a reset, which may overtake the alert that was our last word.
  shutdown(net->socket, SHUT_WR);
  uint8_t unread[1024];
  for (int i = 0; i < 64 && recv(net->socket, unread, sizeof unread, MSG_DONTWAIT) > 0; i++) {
  }
  close(net->socket);
  net->socket = -1;
}

const char* port_net_error(const struct port_net* net) { return net->error; }
