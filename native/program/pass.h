// What changes from one pass to the next: how many tokens, where they stand, what they see. Owns nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.h"

namespace gemma4 {

// Tokens first … first + count − 1 of a pass belong to one request.
struct TokenRun {
  int64_t request, first, count;
};

struct Pass {
  int64_t count = 0;
  std::vector<TokenRun> runs;
  const int64_t* ids = nullptr;        // [count], soft tokens as padding
  const int64_t* positions = nullptr;  // [count]
  const int64_t* rows = nullptr;       // [count], which tokens of an earlier pass these are
  float* out = nullptr;                // where a step without a place of its own writes
  const int64_t* span_ends = nullptr;  // [count], one after the last token of a token's image, else 0; null: none
  std::vector<std::vector<const int32_t*>> tables;  // of each group of layers and request: pages by block
};

// What a thread has to itself.
struct Thread {
  int number;
  void* scratch;
};

// A stretch of memory.
struct Bytes {
  const uint8_t* begin;
  const uint8_t* end;
};

// Tasks [begin, end) of a step, and where this thread goes on: at task `next` of the same step, or nowhere there.
struct Claim {
  int64_t begin, end;
  int64_t next;  // −1: this was the thread's last
};

// How tasks are taken: thread n begins with piece n, which is long; the rest goes in short pieces to whoever is free,
// so that all are done at about the same time.
struct Split {
  int64_t num_tasks, num_threads, first, rest;
  Split(int64_t tasks, int64_t threads)
      : num_tasks(tasks), num_threads(threads), first(tasks * 5 / (threads * 8)), rest(tasks / (threads * 24)) {
    if (rest == 0) rest = 1;
    if (first == 0) first = 1;
  }
  int64_t begin(int64_t piece) const {
    const int64_t at = piece < num_threads ? piece * first : num_threads * first + (piece - num_threads) * rest;
    return at < num_tasks ? at : num_tasks;
  }
  bool has(int64_t piece) const { return begin(piece) < num_tasks; }
};

// One stage of a program: so many independent tasks, then everybody meets.
class Step {
 public:
  virtual ~Step() = default;
  virtual const char* name() const = 0;
  virtual int64_t num_tasks(const Pass& pass, int num_threads) const = 0;
  virtual void run(const Pass& pass, int num_threads, Claim claim, Thread& thread) const = 0;
  virtual int64_t scratch_bytes() const { return 0; }
  virtual Split split(int64_t num_tasks, int num_threads) const { return Split(num_tasks, num_threads); }
  // The next step of the program that reads weights, so that this one can fetch its first ones.
  virtual void set_successor(const Step*) {}
  virtual bool reads_weights() const { return false; }
  // The weights that a thread reads first in this step.
  virtual Bytes first_weights(int, int) const { return {nullptr, nullptr}; }
};

}  // namespace gemma4
