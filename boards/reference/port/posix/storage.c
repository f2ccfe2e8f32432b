// The firmware's flash sectors, over the bus.
#include <string.h>

#include "port/port_storage.h"
#include "port/posix/port_types.h"
#include "port/posix/posix_bus.h"

static uint32_t address_of(unsigned sector, uint32_t offset) {
  return PORT_STORAGE_BASE + (uint32_t)sector * PORT_STORAGE_SECTOR_BYTES + offset;
}

static bool inside(unsigned sector, uint32_t offset, size_t size_bytes) {
  return sector < PORT_STORAGE_SECTORS && size_bytes <= PORT_STORAGE_TRANSFER_BYTES &&
         offset <= PORT_STORAGE_SECTOR_BYTES && size_bytes <= PORT_STORAGE_SECTOR_BYTES - offset;
}

static bool transact(struct port_storage* storage, size_t request_bytes, size_t expected_bytes) {
  posix_bus_send(storage->bus, storage->frame, request_bytes);
  const size_t received = posix_bus_receive(storage->bus, storage->frame, sizeof storage->frame);
  static const uint8_t success[POSIX_BUS_REPLY_BYTES] = {0};
  return received == POSIX_BUS_REPLY_BYTES + expected_bytes && memcmp(storage->frame, success, sizeof success) == 0;
}

bool port_storage_read(struct port_storage* storage, unsigned sector, uint32_t offset, uint8_t* bytes,
                       size_t size_bytes) {
  if (!inside(sector, offset, size_bytes)) return false;
  posix_bus_put_request(storage->frame, POSIX_BUS_READ, address_of(sector, offset), (uint32_t)size_bytes);
  if (!transact(storage, POSIX_BUS_REQUEST_BYTES, size_bytes)) return false;
  memcpy(bytes, storage->frame + POSIX_BUS_REPLY_BYTES, size_bytes);
  return true;
}

bool port_storage_program(struct port_storage* storage, unsigned sector, uint32_t offset, const uint8_t* bytes,
                          size_t size_bytes) {
  if (!inside(sector, offset, size_bytes)) return false;
  posix_bus_put_request(storage->frame, POSIX_BUS_PROGRAM, address_of(sector, offset), (uint32_t)size_bytes);
  memcpy(storage->frame + POSIX_BUS_REQUEST_BYTES, bytes, size_bytes);
  return transact(storage, POSIX_BUS_REQUEST_BYTES + size_bytes, 0);
}

bool port_storage_erase(struct port_storage* storage, unsigned sector) {
  if (!inside(sector, 0, 0)) return false;
  for (uint32_t offset = 0; offset < PORT_STORAGE_SECTOR_BYTES; offset += PORT_STORAGE_ERASE_BYTES) {
    posix_bus_put_request(storage->frame, POSIX_BUS_ERASE, address_of(sector, offset), 0);
    if (!transact(storage, POSIX_BUS_REQUEST_BYTES, 0)) return false;
  }
  return true;
}
