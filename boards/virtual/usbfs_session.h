// One open descriptor of a usbfs node: answers its ioctls and reads until the client closes it.
#pragma once

#include <memory>

#include "boards/virtual/usbfs_device.h"

namespace virtual_lab {

// Blocks until the connection ends. Whatever the client claimed or submitted is given back then.
void serve_usbfs_session(int connection, UsbfsDevice& device);

}  // namespace virtual_lab
