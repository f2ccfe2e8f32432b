// The lab's control socket: one line a command, one line back.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "boards/virtual/event_loop.h"
#include "boards/virtual/result.h"
#include "boards/virtual/unique_fd.h"

namespace virtual_lab {

class ControlServer {
 public:
  // Answers one command line: what follows "ok ", or what follows "error ".
  using Handler = std::function<Result<std::string>(const std::string& line)>;

  // `loop` outlives the server.
  ControlServer(EventLoop& loop, Handler handler) : loop_(loop), handler_(std::move(handler)) {}
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;
  ~ControlServer();

  [[nodiscard]] Result<void> listen(const std::filesystem::path& path);

 private:
  struct Client {
    UniqueFd fd;
    std::string unfinished_line;
  };

  static constexpr std::size_t max_line = 4096;
  static constexpr std::size_t max_clients = 64;

  void accept_one();
  void serve(int fd);
  // False when the connection is to be closed.
  bool answer_lines(Client& client);
  void drop(int fd);

  EventLoop& loop_;
  Handler handler_;
  UniqueFd listener_;
  std::map<int, Client> clients_;
};

// The other end: sends one command to the lab of this process's environment. The error says what the lab, or the way to
// it, had against it.
struct ControlAnswer {
  bool reached_lab = false;
  bool ok = false;
  std::string text;
};
[[nodiscard]] ControlAnswer ask_lab(const std::filesystem::path& umockdev_dir, const std::string& line);

}  // namespace virtual_lab
