// Memory that ends where nothing may be read: a step beyond its last byte ends the program.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace gemma4::check {

class Guarded {
 public:
  explicit Guarded(int64_t bytes) {
    const int64_t page = sysconf(_SC_PAGESIZE);
    const int64_t whole = (bytes + page - 1) / page * page;
    mapped_ = whole + page;
    void* start = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (start == MAP_FAILED || mprotect(static_cast<char*>(start) + whole, page, PROT_NONE) != 0) {
      std::perror("guarded memory");
      std::abort();
    }
    start_ = static_cast<uint8_t*>(start);
    data_ = start_ + whole - bytes;
  }
  ~Guarded() { munmap(start_, mapped_); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  uint8_t* data() { return data_; }
  template <class T>
  T* as() { return reinterpret_cast<T*>(data_); }

 private:
  uint8_t* start_;
  uint8_t* data_;
  int64_t mapped_;
};

}  // namespace gemma4::check
