// A list of steps that all threads walk through together: one call from Python runs many layers.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "program/pass.h"
#include "program/pool.h"

namespace gemma4 {

class Program {
 public:
  Program(std::shared_ptr<Pool> pool, const Kernels& kernels) : pool_(std::move(pool)), kernels_(kernels) {}

  const Kernels& kernels() const { return kernels_; }
  int64_t size() const { return static_cast<int64_t>(steps_.size()); }
  void add(std::unique_ptr<Step> step);
  void run(const Pass& pass);  // one caller at a time, others wait

  // Seconds spent in each kind of step since the last call.
  std::map<std::string, double> take_seconds();

 private:
  void make_room();

  std::shared_ptr<Pool> pool_;
  const Kernels& kernels_;
  std::vector<std::unique_ptr<Step>> steps_;
  Step* last_weights_ = nullptr;         // the last step that reads weights
  std::vector<const Step*> next_weights_;  // for each step the next one that reads weights, or null
  std::vector<double> seconds_;           // of each step
  std::vector<std::unique_ptr<char[]>> scratch_;  // of each thread
  int64_t scratch_bytes_ = 0;                     // that a thread needs
  int64_t held_bytes_ = -1;                       // that it has
  std::mutex running_;
  std::atomic<int64_t> next_{0};  // task to be taken
};

}  // namespace gemma4
