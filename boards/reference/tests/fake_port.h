// A port in memory: flash that can lose its power, a console of two texts, a network that does as it is told.
#ifndef BOARDS_REFERENCE_TESTS_FAKE_PORT_H
#define BOARDS_REFERENCE_TESTS_FAKE_PORT_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "port/port_console.h"
#include "port/port_net.h"
#include "port/port_storage.h"
#include "port/port_system.h"
#include "port/port_tls.h"

// How far a programming or an erasure comes in which the power fails.
enum class Cut { kBefore, kFirstByte, kHalf, kAllButOne, kLatterHalf };

struct port_storage {
  port_storage() {
    for (auto& sector : sectors) sector.assign(PORT_STORAGE_SECTOR_BYTES, 0xFF);
  }

  std::array<std::vector<std::uint8_t>, PORT_STORAGE_SECTORS> sectors;
  std::size_t changes = 0;  // erasures and programmings
  std::size_t erasures = 0;
  std::size_t programmed_twice = 0;
  // The change that fails, counted from 0; all calls after it fail too.
  std::size_t cut_at = std::numeric_limits<std::size_t>::max();
  Cut cut = Cut::kBefore;
};

struct port_console {
  std::string input;
  std::string output;
};

struct port_net {
  port_result resolves = PORT_AGAIN;
  port_net_answer answer{};
  std::vector<std::string> questions;
  std::uint32_t server_ipv4 = 0;  // that was asked last
  port_result reaches = PORT_OK;
  std::vector<std::uint32_t> addresses;  // each that was connected to
  bool open = false;
  bool abandoned = false;
};

struct port_tls {
  port_result shakes_hands = PORT_OK;
  port_tls_end end = PORT_TLS_END_NONE;
  unsigned alert = 0;
  std::vector<std::string> server_names;
  std::vector<std::string> protocols;
  std::string from_server;  // read by the firmware
  bool server_closed = false;
  std::string from_client;  // since the last start
  bool said_close_notify = false;
};

struct port_system {
  std::vector<std::uint8_t> rom;
  bool reset = false;
  bool entered_bootloader = false;
};

// What port_clock_now_ms() answers.
extern std::uint64_t fake_now_ms;

#endif
