// A null pointer by another name, which clang-tidy finds.
int* nothing() { return 0; }
