// The kernel's serial port of a board's console, /dev/ttyACM0: a pseudo terminal whose other end is the board.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "boards/virtual/event_loop.h"
#include "boards/virtual/little_endian.h"
#include "boards/virtual/result.h"

namespace virtual_lab {

// The connections behind open ttys: umockdev's preload library asks here before each ioctl, read and write, and is
// always sent on to the pseudo terminal. They outlive an unplug, since a client whose connection ends abort()s.
class TtyClients {
 public:
  explicit TtyClients(EventLoop& loop) : loop_(loop) {}
  TtyClients(const TtyClients&) = delete;
  TtyClients& operator=(const TtyClients&) = delete;
  ~TtyClients() { disconnect_all(); }

  // `terminal`: what it has open, for as long as that is plugged.
  void serve(UniqueFd connection, std::weak_ptr<UniqueFd> terminal);
  void disconnect_all();

 private:
  struct Client {
    UniqueFd connection;
    std::weak_ptr<UniqueFd> terminal;
    Bytes unfinished;
  };
  void answer(int fd);
  void gone(int fd);

  EventLoop& loop_;
  std::map<int, Client> clients_;
};

// From construction on it can be opened, with destruction it is unplugged: readers see the end of the file, writers
// EIO.
class TtyNode {
 public:
  struct Place {
    std::filesystem::path root;  // $UMOCKDEV_DIR
    unsigned number = 0;         // of /dev/ttyACM…
  };
  // The board's side. Both are called in the loop.
  struct Board {
    std::function<std::size_t(ByteView)> take_input;                  // what the host wrote; how much of it has room
    std::function<std::size_t(std::span<std::uint8_t>)> give_output;  // what the host may read; 0: nothing now
  };

  // `loop` and `clients` outlive it.
  [[nodiscard]] static Result<std::unique_ptr<TtyNode>> make(EventLoop& loop, TtyClients& clients, const Place& place,
                                                             Board board);
  TtyNode(const TtyNode&) = delete;
  TtyNode& operator=(const TtyNode&) = delete;
  ~TtyNode();

  [[nodiscard]] static std::string name(unsigned number) { return "ttyACM" + std::to_string(number); }
  // The board has output, or room, again.
  void pump();

 private:
  TtyNode(EventLoop& loop, TtyClients& clients, Board board)
      : loop_(loop), clients_(clients), board_(std::move(board)) {}
  Result<void> open_terminal();
  Result<void> listen(const std::filesystem::path& path);
  Result<void> link(const Place& place);
  bool move_input();
  bool move_output();
  void watch();

  EventLoop& loop_;
  TtyClients& clients_;
  Board board_;
  UniqueFd board_end_;
  // Kept open, so that the board's end does not report a hang-up whenever nobody else has it open.
  std::shared_ptr<UniqueFd> terminal_ = std::make_shared<UniqueFd>();
  std::string terminal_path_;  // /dev/pts/3
  UniqueFd listener_;
  std::vector<std::filesystem::path> files_;
  Bytes input_;   // that the board had no room for
  Bytes output_;  // that the terminal had no room for
  bool moving_ = false;
};

}  // namespace virtual_lab
