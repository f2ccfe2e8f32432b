// Flashes by a program of somebody else's: openocd, st-flash, esptool, nrfutil, J-Link, pyocd, west, dfu-util …
#pragma once

#include <functional>
#include <map>
#include <string>

#include "drivers/tool/tool_config.h"
#include "drivers/unit/flasher.h"
#include "harness/base/evidence.h"

namespace hilmark {

/// The device that the tool works on: a board in its bootloader, or the probe on the board.
struct ToolTarget {
  std::string device;  ///< for messages: "0483:374b serial 066DFF at port 1-4.2"
  std::string port;    ///< "1-4.2"
  std::string id;      ///< "0483:374b"
  std::string serial;  ///< empty: it has none, or does not let us read it
  /// The kernel's serial port of the device, asked for only if the tool wants it.
  std::function<Result<std::string>()> tty;
};

/// Runs the templates of a ToolConfig. What the tool says becomes evidence "rig"/"tool_line", with "tool_started"
/// before it and "tool_ended" behind. Errors: usage (no such program, with the way to get it; a placeholder that has no
/// value here), unit (the tool says that the board refused, or what is read back differs), rig (whatever else it failed
/// for, its time limit too: nobody can tell a bad cable from a bad board by that), interrupted (SIGINT, SIGTERM or
/// SIGHUP is pending, where the process has them blocked: the tool is ended in good order, as long as it takes no more
/// than two seconds for that; but one that starts the application is let end by itself).
class ToolFlasher final : public Flasher {
 public:
  /// `config` has been checked. `clock` and `evidence` outlive the flasher.
  ToolFlasher(ToolConfig config, ToolTarget target, const Clock& clock, EvidenceLog& evidence);

  /// The tool erases what it needs: a report counts no sectors. Verified where the tool can read.
  [[nodiscard]] Result<FlashReport> write(std::uint32_t address, ByteView content, const Progress& progress,
                                          const Deadline& deadline) override;
  [[nodiscard]] Result<Bytes> read(std::uint32_t address, std::size_t size_bytes, const Progress& progress,
                                   const Deadline& deadline) override;
  [[nodiscard]] Result<void> start(std::uint32_t address, const Deadline& deadline) override;
  [[nodiscard]] bool can_read() const override { return !config_.read.command.empty(); }

 private:
  using Values = std::map<std::string, std::string>;
  struct Step {
    const char* name;  ///< "writing"
    const ToolCommand& command;
    bool may_be_interrupted = true;  ///< false: it leaves the board in order
  };
  [[nodiscard]] Result<void> run(const Step& step, Values values, const Progress& progress,
                                 const Deadline& deadline) const;
  [[nodiscard]] Result<Bytes> read_as(const char* step, std::uint32_t address, std::size_t size_bytes,
                                      const Progress& progress, const Deadline& deadline) const;
  /// The target's and the board's values, as far as the texts ask for them.
  [[nodiscard]] Result<void> add_own_values(const std::vector<std::string>& asked, Values& values) const;

  ToolConfig config_;
  ToolTarget target_;
  const Clock* clock_;
  EvidenceLog* evidence_;
};

}  // namespace hilmark
