// What the linker calls where the library says calloc() and free(). Debian's mbedTLS is built without hooks of its own
// (neither MBEDTLS_PLATFORM_MEMORY nor MBEDTLS_MEMORY_BUFFER_ALLOC_C), so the names are the only place to take hold of.
#include "port/mbedtls/arena.h"

// NOLINTBEGIN(bugprone-reserved-identifier): --wrap makes these names
void* __wrap_calloc(size_t count, size_t size_bytes);
void __wrap_free(void* octets);

void* __wrap_calloc(size_t count, size_t size_bytes) { return arena_calloc(count, size_bytes); }

void __wrap_free(void* octets) { arena_free(octets); }
// NOLINTEND(bugprone-reserved-identifier)
