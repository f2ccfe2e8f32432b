// make_image CHIP DEFECT CODE IMAGE: wraps CODE into an image (boards/wire.md). The same input makes the same image.
#include <openssl/evp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/bytes.h"
#include "app/crc32.h"
#include "app/defects.h"
#include "app/image.h"

enum { MOST_IMAGE_BYTES = 12 * 128 * 1024 };

static uint8_t image[MOST_IMAGE_BYTES];

static int fail(const char* file, const char* why) {
  fprintf(stderr, "make_image: %s: %s\n", file, why);
  return EXIT_FAILURE;
}

static int put_build_id(const uint8_t* body, size_t body_bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int digest_bytes = 0;
  if (EVP_Digest(body, body_bytes, digest, &digest_bytes, EVP_sha256(), NULL) != 1) return 0;
  char digits[IMAGE_BUILD_ID_BYTES + 1];
  for (int i = 0; i < IMAGE_BUILD_ID_BYTES / 2; i++) snprintf(digits + 2 * i, 3, "%02x", digest[i]);
  memcpy(image + IMAGE_BUILD_ID_AT, digits, IMAGE_BUILD_ID_BYTES);
  return 1;
}

static int write_image(const char* file, size_t size_bytes) {
  FILE* out = fopen(file, "wb");
  if (out == NULL) return 0;
  const int written = fwrite(image, 1, size_bytes, out) == size_bytes;
  return fclose(out) == 0 && written;
}

int main(int argc, char** argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: make_image CHIP DEFECT CODE IMAGE\n");
    return 2;
  }
  const char* chip = argv[1];
  const char* defect = argv[2];
  if (strlen(chip) > IMAGE_CHIP_BYTES) return fail(chip, "the chip's name is too long");
  enum defect known;
  if (!defect_by_name(defect, &known)) return fail(defect, "there is no such defect");

  FILE* code = fopen(argv[3], "rb");
  if (code == NULL) return fail(argv[3], "cannot be read");
  const size_t room_bytes = sizeof image - IMAGE_HEADER_BYTES - IMAGE_TRAILER_BYTES;
  const size_t code_bytes = fread(image + IMAGE_HEADER_BYTES, 1, room_bytes, code);
  const int whole = feof(code) != 0 || fgetc(code) == EOF;
  fclose(code);
  if (!whole || code_bytes == 0) return fail(argv[3], "is empty or does not fit into 12 sectors");

  uint8_t* trailer = image + IMAGE_HEADER_BYTES + code_bytes;
  memcpy(trailer, IMAGE_TRAILER_MAGIC, 8);
  memcpy(trailer + IMAGE_DEFECT_AT, defect, strlen(defect));
  const size_t body_bytes = code_bytes + IMAGE_TRAILER_BYTES;

  memcpy(image, IMAGE_MAGIC, 8);
  put_u32(image + 8, IMAGE_HEADER_BYTES);
  put_u32(image + 12, (uint32_t)code_bytes);
  put_u32(image + 16, IMAGE_TRAILER_BYTES);
  put_u32(image + 20, crc32_update(0, image + IMAGE_HEADER_BYTES, body_bytes));
  memcpy(image + IMAGE_CHIP_AT, chip, strlen(chip));
  if (!put_build_id(image + IMAGE_HEADER_BYTES, body_bytes)) return fail(argv[4], "no SHA-256");
  put_u32(image + IMAGE_HEADER_CRC_AT, crc32_update(0, image, IMAGE_HEADER_CRC_AT));
  if (!write_image(argv[4], IMAGE_HEADER_BYTES + body_bytes)) return fail(argv[4], "cannot be written");
  return EXIT_SUCCESS;
}
