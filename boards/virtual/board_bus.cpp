#include "boards/virtual/board_bus.h"

namespace virtual_lab {

std::function<void(const DeviceEvent&)> in_loop(EventLoop& loop, const std::shared_ptr<UsbfsDevice>& device,
                                                std::function<void(const DeviceEvent&)> sink) {
  return [&loop, weak = std::weak_ptr<UsbfsDevice>(device), sink = std::move(sink)](const DeviceEvent& event) {
    loop.post([weak, sink, event] {
      const auto still_there = weak.lock();
      if (still_there && !still_there->gone()) sink(event);
    });
  };
}

}  // namespace virtual_lab
