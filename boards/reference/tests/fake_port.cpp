#include "tests/fake_port.h"

#include <algorithm>
#include <cstring>

#include "port/port_clock.h"

std::uint64_t fake_now_ms = 0;

std::uint64_t port_clock_now_ms(void) { return fake_now_ms; }

// Storage

namespace {

bool has_no_power(const port_storage& storage) { return storage.changes > storage.cut_at; }

// Which bytes of `size_bytes` a change touches before the power fails.
std::pair<std::size_t, std::size_t> touched(Cut cut, std::size_t size_bytes) {
  switch (cut) {
    case Cut::kBefore:
      return {0, 0};
    case Cut::kFirstByte:
      return {0, 1};
    case Cut::kHalf:
      return {0, size_bytes / 2};
    case Cut::kAllButOne:
      return {0, size_bytes - 1};
    case Cut::kLatterHalf:
      return {size_bytes / 2, size_bytes};
  }
  return {0, 0};
}

template <typename Change>
bool make_change(port_storage* storage, std::size_t size_bytes, Change change) {
  if (has_no_power(*storage)) return false;
  const bool fails = storage->changes++ == storage->cut_at;
  const auto [from, to] =
      fails ? touched(storage->cut, size_bytes) : std::pair<std::size_t, std::size_t>{0, size_bytes};
  for (std::size_t i = from; i < to; i++) change(i);
  return !fails;
}

}  // namespace

bool port_storage_read(port_storage* storage, unsigned sector, std::uint32_t offset, std::uint8_t* bytes,
                       std::size_t size_bytes) {
  if (has_no_power(*storage) || size_bytes > PORT_STORAGE_TRANSFER_BYTES) return false;
  const auto& from = storage->sectors.at(sector);
  if (offset + size_bytes > from.size()) return false;
  std::memcpy(bytes, from.data() + offset, size_bytes);
  return true;
}

bool port_storage_program(port_storage* storage, unsigned sector, std::uint32_t offset, const std::uint8_t* bytes,
                          std::size_t size_bytes) {
  auto& to = storage->sectors.at(sector);
  if (offset % PORT_STORAGE_WORD_BYTES != 0 || size_bytes % PORT_STORAGE_WORD_BYTES != 0) return false;
  if (size_bytes > PORT_STORAGE_TRANSFER_BYTES || offset + size_bytes > to.size()) return false;
  const bool erased = std::all_of(to.begin() + offset, to.begin() + offset + static_cast<std::ptrdiff_t>(size_bytes),
                                  [](std::uint8_t byte) { return byte == 0xFF; });
  if (!erased && !has_no_power(*storage)) storage->programmed_twice++;
  return make_change(storage, size_bytes, [&](std::size_t i) { to[offset + i] &= bytes[i]; });
}

bool port_storage_erase(port_storage* storage, unsigned sector) {
  storage->erasures++;
  auto& all = storage->sectors.at(sector);
  return make_change(storage, all.size(), [&](std::size_t i) { all[i] = 0xFF; });
}

// Console

port_result port_console_read(port_console* console, char* bytes, std::size_t size_bytes, std::size_t* received_bytes) {
  *received_bytes = std::min(size_bytes, console->input.size());
  std::memcpy(bytes, console->input.data(), *received_bytes);
  console->input.erase(0, *received_bytes);
  return *received_bytes == 0 ? PORT_AGAIN : PORT_OK;
}

port_result port_console_write(port_console* console, const char* bytes, std::size_t size_bytes,
                               std::size_t* sent_bytes) {
  console->output.append(bytes, size_bytes);
  *sent_bytes = size_bytes;
  return PORT_OK;
}

// Network

port_result port_net_resolve_start(port_net* net, const char* name, std::uint32_t server_ipv4) {
  net->questions.emplace_back(name);
  net->server_ipv4 = server_ipv4;
  return PORT_AGAIN;
}

port_result port_net_resolve_poll(port_net* net, port_net_answer* answer) {
  *answer = net->answer;
  return net->resolves;
}

port_result port_net_connect_start(port_net* net, std::uint32_t ipv4, std::uint16_t) {
  net->addresses.push_back(ipv4);
  net->open = true;
  return net->reaches;
}

port_result port_net_connect_poll(port_net* net) { return net->reaches; }
port_result port_net_send(port_net*, const std::uint8_t*, std::size_t, std::size_t*) { return PORT_FAILED; }
port_result port_net_receive(port_net*, std::uint8_t*, std::size_t, std::size_t*) { return PORT_FAILED; }
void port_net_close(port_net* net) { net->open = false; }
void port_net_abandon(port_net* net) { net->abandoned = true; }
const char* port_net_error(const port_net*) { return "connect: refused"; }

// TLS

port_result port_tls_start(port_tls* tls, const port_tls_config* config) {
  tls->server_names.emplace_back(config->server_name == nullptr ? "" : config->server_name);
  tls->protocols.emplace_back(config->protocol == nullptr ? "" : config->protocol);
  tls->from_client.clear();
  tls->from_server.clear();
  tls->said_close_notify = false;
  tls->end = PORT_TLS_END_NONE;
  tls->server_closed = false;
  return PORT_OK;
}

port_result port_tls_handshake(port_tls* tls) { return tls->shakes_hands; }

port_result port_tls_write(port_tls* tls, const std::uint8_t* bytes, std::size_t size_bytes, std::size_t* sent_bytes) {
  tls->from_client.append(reinterpret_cast<const char*>(bytes), size_bytes);
  *sent_bytes = size_bytes;
  return PORT_OK;
}

port_result port_tls_read(port_tls* tls, std::uint8_t* bytes, std::size_t size_bytes, std::size_t* received_bytes) {
  *received_bytes = std::min(size_bytes, tls->from_server.size());
  std::memcpy(bytes, tls->from_server.data(), *received_bytes);
  tls->from_server.erase(0, *received_bytes);
  if (*received_bytes > 0) return PORT_OK;
  tls->end = tls->server_closed ? PORT_TLS_END_CLOSED : tls->end;
  return tls->server_closed ? PORT_CLOSED : PORT_AGAIN;
}

bool port_tls_wants_output(const port_tls*) { return false; }
bool port_tls_has_input(const port_tls*) { return false; }
void port_tls_close(port_tls* tls) { tls->said_close_notify = true; }
void port_tls_stop(port_tls*) {}
port_tls_end port_tls_ended_by(const port_tls* tls) { return tls->end; }
unsigned port_tls_alert(const port_tls* tls) { return tls->alert; }
const char* port_tls_error(const port_tls*) { return "closed by the server"; }

// System

bool port_system_read_rom(port_system* system, std::uint32_t offset, std::uint8_t* bytes, std::size_t size_bytes) {
  if (offset + size_bytes > system->rom.size()) return false;
  std::memcpy(bytes, system->rom.data() + offset, size_bytes);
  return true;
}

void port_system_reset(port_system* system) { system->reset = true; }
void port_system_enter_bootloader(port_system* system) { system->entered_bootloader = true; }
void port_wait(port_system*, port_interest, std::uint32_t) {}
