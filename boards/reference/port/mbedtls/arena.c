// First fit over the free blocks, by address, joined with their neighbours when they come back.
#include "port/mbedtls/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct block {
  size_t size_bytes;   // with this header
  struct block* next;  // the free block after this one; of no meaning while it is taken
};

enum {
  GRAIN_BYTES = 16,  // of sizes, so that every header and what follows it is aligned
  HEADER_BYTES = (sizeof(struct block) + GRAIN_BYTES - 1) / GRAIN_BYTES * GRAIN_BYTES,
};

static alignas(GRAIN_BYTES) uint8_t arena[ARENA_BYTES];
static struct block* first_free;
static bool is_ready;
static size_t used_bytes;
static size_t peak_bytes;

static uint8_t* end_of(struct block* block) { return (uint8_t*)block + block->size_bytes; }

static void make_ready(void) {
  first_free = (struct block*)arena;
  first_free->size_bytes = sizeof arena;
  first_free->next = NULL;
  is_ready = true;
}

// Cuts `size_bytes` off the front of a free block; `link` is what points at it.
static struct block* take(struct block** link, size_t size_bytes) {
  struct block* block = *link;
  if (block->size_bytes - size_bytes < HEADER_BYTES + GRAIN_BYTES) {
    *link = block->next;
    return block;
  }
  struct block* rest = (struct block*)((uint8_t*)block + size_bytes);
  rest->size_bytes = block->size_bytes - size_bytes;
  rest->next = block->next;
  block->size_bytes = size_bytes;
  *link = rest;
  return block;
}

void* arena_calloc(size_t count, size_t size_bytes) {
  if (!is_ready) make_ready();
  if (count == 0 || size_bytes == 0 || size_bytes > ARENA_BYTES / count) return NULL;
  const size_t octets = count * size_bytes;
  const size_t wanted_bytes = HEADER_BYTES + (octets + GRAIN_BYTES - 1) / GRAIN_BYTES * GRAIN_BYTES;
  struct block** link = &first_free;
  while (*link != NULL && (*link)->size_bytes < wanted_bytes) link = &(*link)->next;
  if (*link == NULL) return NULL;
  struct block* block = take(link, wanted_bytes);
  used_bytes += block->size_bytes;
  const size_t end = (size_t)(end_of(block) - arena);
  if (end > peak_bytes) peak_bytes = end;
  return memset((uint8_t*)block + HEADER_BYTES, 0, octets);
}

static void join(struct block* block) {
  if (block->next == NULL || end_of(block) != (uint8_t*)block->next) return;
  block->size_bytes += block->next->size_bytes;
  block->next = block->next->next;
}

void arena_free(void* octets) {
  if (octets == NULL) return;
  struct block* block = (struct block*)((uint8_t*)octets - HEADER_BYTES);
  used_bytes -= block->size_bytes;
  struct block* before = NULL;
  struct block* after = first_free;
  while (after != NULL && after < block) {
    before = after;
    after = after->next;
  }
  block->next = after;
  join(block);
  if (before == NULL) {
    first_free = block;
    return;
  }
  before->next = block;
  join(before);
}

size_t arena_used_bytes(void) { return used_bytes; }

size_t arena_peak_bytes(void) { return peak_bytes; }
