#include "app/store.h"

#include <string.h>

#include "app/bytes.h"
#include "app/crc32.h"

enum {
  WORD = PORT_STORAGE_WORD_BYTES,
  MAGIC = 0x31534D48,  // "HMS1"
  FIELD_HEADER_BYTES = 4,
  SECTOR_BYTES = PORT_STORAGE_SECTOR_BYTES,
};

static uint32_t round_up(uint32_t size_bytes) { return (size_bytes + WORD - 1) / WORD * WORD; }

struct header {
  uint32_t generation;
  uint32_t body_bytes;
  uint32_t body_crc;
};

static void write_header(uint8_t word[WORD], const struct header* header) {
  memset(word, 0, WORD);
  put_u32(word, MAGIC);
  put_u32(word + 4, header->generation);
  put_u32(word + 8, header->body_bytes);
  put_u32(word + 12, header->body_crc);
  put_u32(word + WORD - 4, crc32_update(0, word, WORD - 4));
}

static bool read_header(const uint8_t word[WORD], uint32_t offset, struct header* header) {
  if (get_u32(word) != MAGIC || get_u32(word + WORD - 4) != crc32_update(0, word, WORD - 4)) return false;
  header->generation = get_u32(word + 4);
  header->body_bytes = get_u32(word + 8);
  header->body_crc = get_u32(word + 12);
  return header->body_bytes <= SECTOR_BYTES - WORD - offset;
}

// Fields -----------------------------------------------------------------------------------------------------------

struct record_writer {
  struct store* store;
  bool only_measures;
  unsigned sector;
  uint32_t offset;
  uint32_t chunk_bytes;
  uint32_t body_bytes;
  uint32_t body_crc;
};

static bool append(struct record_writer* writer, const void* bytes, uint32_t size_bytes);

static uint32_t field_size(const struct setting_key* key, const struct settings* settings) {
  if (key->type == SETTING_TEXT) return (uint32_t)strlen(setting_text(key, settings));
  return (uint32_t)key->size_bytes;
}

static bool encode(struct record_writer* writer, const struct settings* settings) {
  for (int i = 0; i < SETTING_COUNT; i++) {
    const struct setting_key* key = &setting_table[i];
    const uint32_t size_bytes = field_size(key, settings);
    uint8_t head[FIELD_HEADER_BYTES] = {key->tag};
    uint8_t number[4];
    const void* value = setting_text(key, settings);
    if (key->type == SETTING_NUMBER) {
      put_u32(number, setting_number(key, settings));
      value = number;
    }
    put_u16(head + 2, (uint16_t)size_bytes);
    if (!append(writer, head, sizeof head) || !append(writer, value, size_bytes)) return false;
  }
  return true;
}

static const struct setting_key* key_of_tag(uint8_t tag) {
  for (int i = 0; i < SETTING_COUNT; i++) {
    if (setting_table[i].tag == tag) return &setting_table[i];
  }
  return NULL;
}

static bool read_span(struct store* store, uint32_t offset, uint8_t* bytes, uint32_t size_bytes) {
  for (uint32_t done = 0; done < size_bytes;) {
    uint32_t part = size_bytes - done;
    if (part > PORT_STORAGE_TRANSFER_BYTES) part = PORT_STORAGE_TRANSFER_BYTES;
    if (!port_storage_read(store->storage, store->sector, offset + done, bytes + done, part)) return false;
    done += part;
  }
  return true;
}

static bool decode_field(struct store* store, const struct setting_key* key, uint32_t offset, uint32_t size_bytes,
                         struct settings* settings) {
  uint8_t* field = (uint8_t*)settings + key->offset;
  if (key->type == SETTING_TEXT) {
    if (size_bytes >= key->size_bytes) return true;  // of a firmware with longer fields: the default stays
    field[size_bytes] = '\0';
    return read_span(store, offset, field, size_bytes);
  }
  if (size_bytes != key->size_bytes) return true;
  if (!read_span(store, offset, field, size_bytes)) return false;
  if (key->type == SETTING_NUMBER) {
    const uint32_t number = get_u32(field);
    memcpy(field, &number, sizeof number);
  }
  return true;
}

static bool decode(struct store* store, struct settings* settings) {
  settings_set_defaults(settings);
  const uint32_t end = store->body_offset + store->body_bytes;
  for (uint32_t offset = store->body_offset; offset + FIELD_HEADER_BYTES <= end;) {
    uint8_t head[FIELD_HEADER_BYTES];
    if (!read_span(store, offset, head, sizeof head)) return false;
    offset += FIELD_HEADER_BYTES;
    const uint32_t size_bytes = get_u16(head + 2);
    if (size_bytes > end - offset) return true;
    const struct setting_key* key = key_of_tag(head[0]);
    if (key != NULL && !decode_field(store, key, offset, size_bytes, settings)) return false;
    offset += size_bytes;
  }
  return true;
}

// Finding ----------------------------------------------------------------------------------------------------------

struct scan {
  uint32_t used_bytes;  // up to the last word that is not erased
  bool found;
  struct header newest;
  uint32_t newest_offset;
};

static bool is_erased(const uint8_t word[WORD]) {
  for (int i = 0; i < WORD; i++) {
    if (word[i] != 0xFF) return false;
  }
  return true;
}

static bool body_is_whole(struct store* store, unsigned sector, uint32_t offset, const struct header* header) {
  uint32_t crc = 0;
  uint8_t part[256];
  for (uint32_t done = 0; done < header->body_bytes;) {
    const uint32_t left = header->body_bytes - done;
    const uint32_t size_bytes = left < sizeof part ? left : (uint32_t)sizeof part;
    if (!port_storage_read(store->storage, sector, offset + WORD + done, part, size_bytes)) return false;
    crc = crc32_update(crc, part, size_bytes);
    done += size_bytes;
  }
  return crc == header->body_crc;
}

static void look_at_word(struct store* store, unsigned sector, uint32_t offset, const uint8_t* word, uint32_t* skip_to,
                         struct scan* scan) {
  if (is_erased(word)) return;
  scan->used_bytes = offset + WORD;
  struct header header;
  if (offset < *skip_to || !read_header(word, offset, &header)) return;
  // A body that was cut short is not skipped: the record after it may begin inside of what it would have been.
  if (!body_is_whole(store, sector, offset, &header)) return;
  *skip_to = offset + WORD + round_up(header.body_bytes);
  if (scan->found && header.generation <= scan->newest.generation) return;
  scan->found = true;
  scan->newest = header;
  scan->newest_offset = offset;
}

static bool scan_sector(struct store* store, unsigned sector, struct scan* scan) {
  memset(scan, 0, sizeof *scan);
  uint32_t skip_to = 0;
  for (uint32_t base = 0; base < SECTOR_BYTES; base += sizeof store->chunk) {
    if (!port_storage_read(store->storage, sector, base, store->chunk, sizeof store->chunk)) return false;
    for (uint32_t at = 0; at < sizeof store->chunk; at += WORD) {
      look_at_word(store, sector, base + at, store->chunk + at, &skip_to, scan);
    }
  }
  // A body that ends in 0xFF would look erased there.
  if (skip_to > scan->used_bytes) scan->used_bytes = skip_to;
  return true;
}

bool store_open(struct store* store, struct port_storage* storage, struct settings* settings) {
  memset(store, 0, sizeof *store);
  store->storage = storage;
  settings_set_defaults(settings);
  struct scan scans[STORE_SECTORS];
  for (unsigned sector = 0; sector < STORE_SECTORS; sector++) {
    if (!scan_sector(store, sector, &scans[sector])) return false;
  }
  store->next_offset = SECTOR_BYTES;  // nothing found: the first save erases before it writes
  for (unsigned sector = 0; sector < STORE_SECTORS; sector++) {
    const struct scan* scan = &scans[sector];
    if (!scan->found || (store->generation != 0 && scan->newest.generation <= store->generation)) continue;
    store->sector = sector;
    store->next_offset = scan->used_bytes;
    store->generation = scan->newest.generation;
    store->body_offset = scan->newest_offset + WORD;
    store->body_bytes = scan->newest.body_bytes;
  }
  if (store->generation == 0) return true;
  // A wipe that was cut short: its empty record counts, and the old sector goes now.
  const unsigned other = 1 - store->sector;
  if (store->body_bytes == 0 && scans[other].used_bytes != 0) port_storage_erase(storage, other);
  return decode(store, settings);
}

// Writing ----------------------------------------------------------------------------------------------------------

static bool flush(struct record_writer* writer) {
  const uint32_t padded = round_up(writer->chunk_bytes);
  uint8_t* chunk = writer->store->chunk;
  memset(chunk + writer->chunk_bytes, 0, padded - writer->chunk_bytes);
  if (!port_storage_program(writer->store->storage, writer->sector, writer->offset, chunk, padded)) return false;
  writer->offset += padded;
  writer->chunk_bytes = 0;
  return true;
}

static bool append(struct record_writer* writer, const void* bytes, uint32_t size_bytes) {
  writer->body_crc = crc32_update(writer->body_crc, bytes, size_bytes);
  writer->body_bytes += size_bytes;
  if (writer->only_measures) return true;
  const uint8_t* at = bytes;
  while (size_bytes > 0) {
    const uint32_t room = (uint32_t)sizeof writer->store->chunk - writer->chunk_bytes;
    const uint32_t part = size_bytes < room ? size_bytes : room;
    memcpy(writer->store->chunk + writer->chunk_bytes, at, part);
    writer->chunk_bytes += part;
    at += part;
    size_bytes -= part;
    if (writer->chunk_bytes == sizeof writer->store->chunk && !flush(writer)) return false;
  }
  return true;
}

// Header and body (NULL: an empty one), read back before it counts.
static bool write_record(struct store* store, unsigned sector, uint32_t offset, const struct header* header,
                         const struct settings* settings) {
  struct record_writer writer = {.store = store, .sector = sector, .offset = offset, .chunk_bytes = WORD};
  write_header(store->chunk, header);
  if (settings != NULL && !encode(&writer, settings)) return false;
  if (writer.chunk_bytes > 0 && !flush(&writer)) return false;
  uint8_t word[WORD];
  struct header written;
  return port_storage_read(store->storage, sector, offset, word, sizeof word) && read_header(word, offset, &written) &&
         written.generation == header->generation && body_is_whole(store, sector, offset, &written);
}

static bool save(struct store* store, const struct settings* settings, bool in_other_sector) {
  struct record_writer measure = {.store = store, .only_measures = true};
  if (settings != NULL) encode(&measure, settings);
  const uint32_t record_bytes = WORD + round_up(measure.body_bytes);
  const bool appends = store->generation != 0 && !in_other_sector && record_bytes <= SECTOR_BYTES - store->next_offset;
  const unsigned sector = appends ? store->sector : store->generation == 0 ? 0 : 1 - store->sector;
  const uint32_t offset = appends ? store->next_offset : 0;
  if (!appends && !port_storage_erase(store->storage, sector)) return false;
  const struct header header = {store->generation + 1, measure.body_bytes, measure.body_crc};
  if (!write_record(store, sector, offset, &header, settings)) {
    if (appends) store->next_offset = SECTOR_BYTES;  // what is there now is neither erased nor a record
    return false;
  }
  store->sector = sector;
  store->next_offset = offset + record_bytes;
  store->generation = header.generation;
  store->body_offset = offset + WORD;
  store->body_bytes = header.body_bytes;
  return true;
}

bool store_save(struct store* store, const struct settings* settings) { return save(store, settings, false); }

bool store_wipe(struct store* store) {
  if (!save(store, NULL, true)) return false;
  return port_storage_erase(store->storage, 1 - store->sector);
}
