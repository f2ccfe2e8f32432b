// A board's flasher, by the protocol that its chip file names.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/tool/tool_config.h"
#include "drivers/unit/flasher.h"
#include "drivers/usb/usb_context.h"
#include "harness/base/evidence.h"

namespace hilmark {

/// The chip file's facts, or the board file's over them.
struct FlasherConfig {
  std::string protocol = "dfuse";  ///< one of flasher_protocols()
  std::string layout;              ///< as drivers/dfu/dfuse_layout.h reads it; its memories are one after the other
  std::uint32_t base = 0;          ///< where an image begins
  std::uint32_t max_bytes = 0;     ///< room for an image
  ToolConfig tool;                 ///< of protocol "tool"
};

/// "dfu" (USB DFU 1.1), "dfuse" (ST's extension of it), "picoboot" (RP2040, RP2350), "tool" (a program of somebody
/// else's).
[[nodiscard]] const std::vector<std::string>& flasher_protocols();

/// Whether erase_flash() can be had by that protocol.
[[nodiscard]] bool has_mass_erase(std::string_view protocol);

/// Without a board. Errors (usage): no such protocol, no such layout, or what check() of a ToolConfig finds.
[[nodiscard]] Result<void> check(const FlasherConfig& config);

/// Opens the bootloader (of a tool: the bootloader or the probe) that is plugged in there; the flasher holds it for as
/// long as it lives, but of a tool, which opens it by itself. The references outlive it. Errors: usage (another
/// protocol, another memory, permission, in use), rig (gone).
[[nodiscard]] Result<std::unique_ptr<Flasher>> open_flasher(const FlasherConfig& config, const UsbContext& usb,
                                                            const UsbPlugged& bootloader, const Clock& clock,
                                                            EvidenceLog& evidence);

/// Asks a running application for its bootloader by what belongs to the protocol: DFU DETACH, or the Pico SDK's reset
/// interface and then 1200 baud. False: it has no such thing. Its console must be closed.
[[nodiscard]] Result<bool> request_bootloader(const FlasherConfig& config, const UsbContext& usb,
                                              const UsbPlugged& application);

}  // namespace hilmark
